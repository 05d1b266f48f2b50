//! Comments read the same in a year.

use crate::tidy::Finding;
use crate::tidy::rust_text::Line;
use crate::tidy::tree::Tree;

/// Words that are true on one day only, in lower case.
const WORDS: [&str; 12] = [
    "as of today",
    "at the moment",
    "at this point in time",
    "currently",
    "for now",
    "for the moment",
    "for the time being",
    "fixme",
    "nowadays",
    "right now",
    "todo",
    "xxx",
];

/// History, unless a bound follows: "no longer than".
const HISTORY: (&str, &str) = ("no longer", "than");

/// Plans, when a number follows.
const PLANS: [&str; 3] = ["phase", "milestone", "issue"];

/// Findings on words of the moment in comments and documentation of Rust files.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(|(path, lines)| check_file(path, lines)).collect()
}

fn check_file(path: &str, lines: &[Line]) -> Vec<Finding> {
    // A phrase may be broken by the end of a line, so each line is read with the first words of the next.
    let words: Vec<_> = lines.iter().map(|line| words_of(&line.comment)).collect();
    let mut findings = Vec::new();
    for (at, own) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or(&[][..], Vec::as_slice);
        let read: Vec<_> = own.iter().chain(next.iter().take(4)).map(String::as_str).collect();
        if let Some(found) = (0..own.len()).find_map(|start| phrase_at(&read[start..])) {
            let message = format!("\"{found}\" is true on one day only: say what holds always.");
            findings.push(Finding::new(path, at + 1, message));
        }
    }
    findings
}

fn words_of(comment: &str) -> Vec<String> {
    comment
        .to_lowercase()
        .split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn phrase_at(words: &[&str]) -> Option<String> {
    let starts_with = |phrase: &str| {
        let phrase: Vec<_> = phrase.split(' ').collect();
        words.starts_with(&phrase).then_some(phrase.len())
    };
    if let Some(word) = WORDS.into_iter().find(|word| starts_with(word).is_some()) {
        return Some(word.to_owned());
    }
    if let Some(length) = starts_with(HISTORY.0) {
        return (words.get(length) != Some(&HISTORY.1)).then(|| HISTORY.0.to_owned());
    }
    match words {
        [plan, number, ..] if PLANS.contains(plan) && number.chars().all(|c| c.is_ascii_digit()) => {
            Some(format!("{plan} {number}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[track_caller]
    fn assert_found(text: &str, lines: &[usize]) {
        let findings = check(&tree(&[("a.rs", text)]));
        let found: Vec<_> = places(&findings).into_iter().map(|(_, line)| line).collect();
        assert_eq!(found, lines);
    }

    #[test]
    fn words_of_the_moment_are_found_in_comments_and_documentation() {
        assert_found(
            "//! Currently slow.\n/// TODO: more\n// comes in phase 2\n/* FIXME */\n",
            &[1, 2, 3, 4],
        );
    }

    #[test]
    fn a_phrase_broken_by_a_line_is_found_where_it_begins() {
        assert_found("// It is enough for\n// now, they say.\n", &[1]);
        assert_found("// wait for\nlet x = 1; // now\n", &[1]);
    }

    #[test]
    fn code_and_strings_and_innocent_words_are_left_alone() {
        assert_found("fn todo(now: Instant) { f(\"TODO currently\") }\n", &[]);
        assert_found("// No longer than 500 bytes; `now` is an argument; a phase of the moon.\n", &[]);
        assert_found("// It is no longer\n// than that. Concurrently.\n", &[]);
    }

    #[test]
    fn history_is_found() {
        assert_found("// This is no longer used.\n", &[1]);
    }
}
