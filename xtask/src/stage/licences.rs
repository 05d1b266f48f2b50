//! The licence of everything we build from, held to a list.
//!
//! `cargo deny` does this too, but its advisories need a database that is not at hand in a fresh clone without one more
//! server to trust; so advisories are not checked here.

use std::collections::BTreeSet;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::metadata::{Metadata, Package};
use crate::session::Session;
use crate::stages::Note;

/// Permissive licences whose terms we meet by shipping the texts.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "bzip2-1.0.6",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Every package, of every kind and for every target, can be used under an allowed licence.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let text = cargo::capture(cargo(session).args(["metadata", "--locked", "--format-version", "1"]))?;
    let metadata: Metadata =
        serde_json::from_str(&text).map_err(|error| Fault::json("cargo's metadata", &error))?;
    let refused: BTreeSet<_> = metadata.packages.iter().filter_map(refusal).collect();
    if refused.is_empty() {
        return Ok(format!("{} packages; advisories are not checked (no database)", metadata.packages.len()));
    }
    let refused = refused.into_iter().collect::<Vec<_>>().join("\n");
    Err(Fault::new(format!("licences that are not on the list in {}:\n{refused}", file!())))
}

fn refusal(package: &Package) -> Option<String> {
    let Some(expression) = &package.license else {
        return Some(format!("{} {} states no licence", package.name, package.version));
    };
    match is_allowed(expression) {
        Some(true) => None,
        Some(false) => Some(format!("{} {} is under {expression}", package.name, package.version)),
        None => Some(format!("{} {}: `{expression}` is no SPDX expression", package.name, package.version)),
    }
}

/// Whether an SPDX expression can be met with allowed licences; `None` if it is none.
///
/// `/` is the older way to write `OR`.
fn is_allowed(expression: &str) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = any_of(&mut words)?;
    words.next().is_none().then_some(allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>) -> Option<bool> {
    let mut allowed = all_of(words)?;
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all_of(words)?;
    }
    Some(allowed)
}

fn all_of(words: &mut Words<'_>) -> Option<bool> {
    let mut allowed = one(words)?;
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words)?;
    }
    Some(allowed)
}

fn one(words: &mut Words<'_>) -> Option<bool> {
    let word = words.next()?;
    if word == "(" {
        let allowed = any_of(words)?;
        return words.next_if_eq(&")").map(|_| allowed);
    }
    if matches!(word, ")" | "OR" | "AND" | "WITH") {
        return None;
    }
    let Some(_) = words.next_if_eq(&"WITH") else { return Some(ALLOWED.contains(&word)) };
    let licence = format!("{word} WITH {}", words.next()?);
    Some(ALLOWED.contains(&licence.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_met_by_either_side_of_or_and_both_sides_of_and() {
        for allowed in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "MIT AND (ISC OR GPL-3.0)"] {
            assert_eq!(is_allowed(allowed), Some(true), "{allowed}");
        }
        for refused in ["GPL-3.0-only", "MIT AND GPL-3.0", "(MIT OR ISC) AND MPL-2.0"] {
            assert_eq!(is_allowed(refused), Some(false), "{refused}");
        }
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        assert_eq!(is_allowed("Apache-2.0 WITH LLVM-exception OR GPL-3.0"), Some(true));
        assert_eq!(is_allowed("MIT WITH strange-exception"), Some(false));
    }

    #[test]
    fn what_is_no_expression_is_told_apart_from_a_refusal() {
        for nonsense in ["", "MIT OR", "(MIT", "MIT ISC", "AND MIT"] {
            assert_eq!(is_allowed(nonsense), None, "{nonsense}");
        }
    }
}
