//! Markdown, as far as the rules on links and anchors read it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whether a path is that of a Markdown file.
pub(crate) fn is_page(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "md")
}

/// The lines outside fenced code, with their numbers.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let line = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return true,
            (Some(_), _) => {}
        }
        false
    })
}

/// The anchors that a page offers: one for each heading, as the repository host makes them, and explicit ones.
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (_, line) in prose(text) {
        if let Some(heading) = heading(line) {
            let slug = slug(heading);
            let times = seen.entry(slug.clone()).or_default();
            anchors.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
            *times += 1;
        }
        for mark in ["<a name=\"", "<a id=\""] {
            let named = line.split(mark).skip(1).filter_map(|rest| rest.split('"').next());
            anchors.extend(named.map(str::to_owned));
        }
    }
    anchors
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    ((1..=6).contains(&level) && text.starts_with(' ')).then(|| text.trim().trim_end_matches('#').trim_end())
}

/// Lower case, without punctuation, blanks as hyphens; of a link only its text.
fn slug(heading: &str) -> String {
    let mut slug = String::new();
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        slug.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    slug.push_str(rest);
    let kept = |character: &char| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_');
    slug.to_lowercase()
        .chars()
        .filter(kept)
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

/// The targets of the links in a line: inline ones, and definitions of references. Inline code is not read.
pub(crate) fn targets(line: &str) -> Vec<String> {
    let outside_code: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    let mut targets = Vec::new();
    for rest in outside_code.split("](").skip(1) {
        let target = rest.split([')', ' ']).next().unwrap_or_default();
        targets.push(target.trim_matches(['<', '>']).to_owned());
    }
    let definition = outside_code.split_once("]: ");
    if let Some((_, target)) =
        definition.filter(|(label, _)| label.starts_with('[') && !label.starts_with("[^"))
    {
        targets.extend(target.split_whitespace().next().map(str::to_owned));
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_become_the_hosts_anchors() {
        for (heading, slug_expected) in [
            ("Cost record", "cost-record"),
            ("L0: `Frame` & links", "l0-frame--links"),
            ("snake_case, half-open", "snake_case-half-open"),
            ("See [the wire](wire.md) again", "see-the-wire-again"),
            ("Über 500 bytes?", "über-500-bytes"),
        ] {
            assert_eq!(slug(heading), slug_expected);
        }
    }

    #[test]
    fn a_page_offers_its_headings_once_each_and_explicit_anchors() {
        let page = "# One\n## Two ##\n```\n# not\n```\n## Two\n#not\n<a id=\"three\"></a>\n";
        let expected = ["one", "three", "two", "two-1"];
        assert_eq!(anchors(page).into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn links_are_read_outside_code() {
        assert_eq!(
            targets("[a](b.md#c \"title\"), ![d](<e.png>), `[f](g.md)`, `h` [i](j)"),
            ["b.md#c", "e.png", "j"]
        );
        assert_eq!(targets("[ref]: k.md"), ["k.md"]);
        assert_eq!(targets("[^1]: a footnote"), [] as [&str; 0]);
    }

    #[test]
    fn a_fence_ends_with_its_own_mark() {
        let lines: Vec<_> = prose("a\n~~~\n```\nb\n~~~\nc").map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 6]);
    }
}
