//! Links in Markdown files lead somewhere.

use crate::tidy::Finding;
use crate::tidy::markdown;
use crate::tidy::tree::Tree;

/// Findings on relative links to files, folders or headings that are not there. Other hosts are not asked.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("md").flat_map(|(path, text)| check_page(tree, path, text)).collect()
}

fn check_page(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in markdown::prose(text) {
        for target in markdown::targets(line) {
            if !is_elsewhere(&target) && !resolves(tree, path, &target) {
                findings.push(Finding::new(path, number, format!("the link {target} leads nowhere.")));
            }
        }
    }
    findings
}

fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

fn resolves(tree: &Tree, page: &str, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let Some(path) = (if file.is_empty() { Some(page.to_owned()) } else { join(page, file) }) else {
        return false;
    };
    match (anchor, tree.files.get(&path)) {
        (Some(anchor), Some(text)) if markdown::is_page(&path) => markdown::anchors(text).contains(anchor),
        _ => tree.has(&path),
    }
}

/// The path, from the root, of what `page` calls `file`; `None` if it is outside the root.
fn join(page: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = match file.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => page.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let page = "[a](wire.md) [b](wire.md#frame) [c](../README.md) [d](vectors) [e](#here) [f](https://x.org/y)\n\
                    [g](gone.md)\n[h](wire.md#gone)\n[i](../../etc)\n# Here\n[j](#there) [k](/spec/wire.md)\n";
        let tree = tree(&[
            ("spec/page.md", page),
            ("spec/wire.md", "# Frame\n"),
            ("README.md", ""),
            ("spec/vectors/a.json", ""),
        ]);
        let expected = [("spec/page.md", 2), ("spec/page.md", 3), ("spec/page.md", 4), ("spec/page.md", 6)];
        assert_eq!(places(&check(&tree)), expected);
    }
}
