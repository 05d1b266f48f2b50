//! The strict regime refuses what it says it refuses.
//!
//! Whether the core reads a clock, a socket, a thread or a global random source is decided by lints, and a lint that is
//! misspelt refuses nothing. So one crate of violations is written, under a copy of the core's `clippy.toml` and header,
//! and clippy has to refuse each of them, at its place, with the lint that is meant; and nothing else.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const REGIME: &str = include_str!("../../protocol/clippy.toml");
const HEADER: &str = include_str!("../src/tidy/crate_roots/header.txt");
const MANIFEST: &str = "[package]\nname = \"refusals\"\nedition = \"2024\"\n\n[workspace]\n\n\
                        [dependencies]\nforeign = { path = \"foreign\" }\n";

/// A dependency that hands over what the core may not name.
const FOREIGN_MANIFEST: &str = "[package]\nname = \"foreign\"\nedition = \"2024\"\n";
const FOREIGN: &str = "#![allow(clippy::all)]\nuse std::{collections::*, time::*};\n\
                       pub fn map() -> HashMap<u8, u8> { HashMap::new() }\n\
                       pub fn set() -> HashSet<u8> { HashSet::new() }\n\
                       pub fn instant() -> Instant { Instant::now() }\n\
                       pub fn call<T>(f: fn() -> T) { f(); }\n";
const VIOLATIONS: &str = include_str!("fixtures/violations.rs.txt");

/// A piece of code that stands alone in a module of its own.
struct Snippet {
    name: &'static str,
    /// What has to refuse it; empty if it is innocent.
    lints: BTreeSet<&'static str>,
    code: &'static str,
}

/// What clippy said: of which line of the crate's root, or 0 if of something else, and by which lint.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refusal {
    line: usize,
    lint: String,
    message: String,
}

#[test]
fn every_violation_is_refused_where_it_stands_by_the_lint_that_is_meant() {
    let snippets = snippets();
    let (source, lines) = crate_root(&snippets);
    let refusals = refusals_of(&project("refusals", &source));
    let mut wrong = String::new();
    for (snippet, lines) in snippets.iter().zip(&lines) {
        let here = refusals.iter().filter(|refusal| lines.contains(&refusal.line));
        let found: BTreeSet<_> = here.map(|refusal| refusal.lint.as_str()).collect();
        if found != snippet.lints {
            let _ = writeln!(wrong, "{}: expected {:?}, found {found:?}", snippet.name, snippet.lints);
        }
    }
    let outside = refusals.iter().filter(|refusal| !lines.iter().any(|lines| lines.contains(&refusal.line)));
    for refusal in outside {
        let _ = writeln!(wrong, "outside every snippet: {refusal:?}");
    }
    assert!(wrong.is_empty(), "the strict regime is not what it says:\n{wrong}");
}

#[test]
fn an_allowance_does_not_bring_unsafe_code_back() {
    let source = format!("//! Violation.\n{HEADER}\n#[allow(unsafe_code)]\npub mod quietly {{}}\n");
    let refusals = refusals_of(&project("allowance", &source));
    let lints: Vec<_> = refusals.iter().map(|refusal| refusal.lint.as_str()).collect();
    assert_eq!(lints, ["E0453"], "the compiler's word for allowing what is forbidden");
}

#[test]
fn every_path_that_the_regime_names_is_proved_by_a_violation() {
    let code: String = snippets().iter().map(|snippet| snippet.code).collect();
    let named: Vec<_> = REGIME
        .lines()
        .filter(|line| line.contains("path = ") && !line.contains("allow-invalid"))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert!(named.len() > 40, "the regime was not read: {named:?}");
    let unproved: Vec<_> = named
        .into_iter()
        .filter(|path| {
            // A method is called on a value: only its own name stands in the code.
            let own = path.rsplit("::").next().expect("a path has a last part");
            !code
                .split(|character: char| !character.is_alphanumeric() && character != '_')
                .any(|word| word == own)
        })
        .collect();
    assert!(unproved.is_empty(), "in protocol/clippy.toml, but in no violation: {unproved:?}");
}

/// The fixture's snippets: each opens with `//~ name: lint + lint`, the lints being `none` for the innocent ones.
fn snippets() -> Vec<Snippet> {
    let snippets: Vec<_> = VIOLATIONS
        .split("//~ ")
        .skip(1)
        .map(|text| {
            let (title, code) = text.split_once('\n').expect("code follows the title");
            let (name, lints) = title.split_once(": ").expect("a title names its lints");
            let lints = lints.split(" + ").filter(|lint| *lint != "none").collect();
            Snippet { name, lints, code }
        })
        .collect();
    assert!(
        snippets.iter().any(|snippet| snippet.lints.is_empty()),
        "without an innocent one nothing is proved"
    );
    snippets
}

/// The crate's source, and the lines of each snippet in it.
fn crate_root(snippets: &[Snippet]) -> (String, Vec<std::ops::Range<usize>>) {
    let mut source = format!("//! Violations.\n{HEADER}\nextern crate alloc;\nextern crate std;\n");
    let mut lines = Vec::new();
    for (number, snippet) in snippets.iter().enumerate() {
        let start = source.lines().count() + 1;
        let _ = write!(source, "pub mod snippet_{number} {{\n{}}}\n", snippet.code);
        lines.push(start..source.lines().count() + 1);
    }
    (source, lines)
}

/// A crate outside the workspace, whose nearest `clippy.toml` is the core's.
fn project(name: &str, source: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let files = [
        ("Cargo.toml", MANIFEST),
        ("clippy.toml", REGIME),
        ("src/lib.rs", source),
        ("foreign/Cargo.toml", FOREIGN_MANIFEST),
        ("foreign/src/lib.rs", FOREIGN),
    ];
    for (path, text) in files {
        let path = home.join(path);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
        fs::write(&path, text).expect("the file can be written");
    }
    home
}

/// Everything that clippy refuses when warnings are denied.
fn refusals_of(home: &Path) -> BTreeSet<Refusal> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .current_dir(home)
        .args(["clippy", "--quiet", "--offline", "--message-format=json", "--", "-D", "warnings"])
        .env("CARGO_TARGET_DIR", home.join("target"))
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .expect("clippy can be started");
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    let messages: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let refusals: BTreeSet<_> = messages.iter().filter_map(refusal).collect();
    assert!(!refusals.is_empty(), "clippy said nothing: {}", String::from_utf8_lossy(&output.stderr));
    refusals
}

fn refusal(message: &Value) -> Option<Refusal> {
    let message = message.get("message")?;
    let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    // A violation inside a macro of the standard library stands where the macro is called.
    let mut place = span;
    while place["file_name"] != "src/lib.rs" && place["expansion"].is_object() {
        place = &place["expansion"]["span"];
    }
    assert_eq!(message["level"], "error", "warnings are denied: {message}");
    Some(Refusal {
        line: if place["file_name"] == "src/lib.rs" { line(place) } else { 0 },
        lint: message["code"]["code"].as_str().unwrap_or("no lint").to_owned(),
        message: message["message"].as_str()?.to_owned(),
    })
}

fn line(span: &Value) -> usize {
    span["line_start"].as_u64().and_then(|line| usize::try_from(line).ok()).expect("a span has a first line")
}
