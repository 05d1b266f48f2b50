//! The table of attacks in SECURITY.md names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_attack_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut functions = BTreeSet::new();
    for folder in ["protocol", "hosts", "proving"] {
        collect(&root.join(folder), &mut functions);
    }
    let text = fs::read_to_string(root.join("SECURITY.md")).expect("it is there");
    let attacks: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert!(attacks.len() > 20, "{} attacks", attacks.len());
    for attack in attacks {
        let tests = attack.rsplit('|').nth(1).expect("a row has a last column");
        for test in tests.split(", ").map(|test| test.trim().trim_matches('`')) {
            assert!(functions.contains(test), "no test is called {test}");
        }
    }
}

/// The names of all functions in the sources below `folder`.
fn collect(folder: &Path, functions: &mut BTreeSet<String>) {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    for path in paths {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let named = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
            functions.extend(named.map(str::to_owned));
        }
    }
}
