//! The compiler in front of which this program stands while fuzz targets are built: it leaves the instrumentation out of
//! everything that is not ours.
//!
//! A fuzzer learns from each branch and comparison that it sees taken. In the arithmetic of curves there is nothing to be
//! learnt, and watching it there costs nine tenths of an execution of a target that makes handshakes.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

/// Set for the compilers of a fuzz target: this program was called in place of one.
pub(super) const MARK: &str = "NEXUS_FUZZ_COMPILER";

/// Crates of this project are called so, and its fuzz targets are in `fuzz_targets/`.
const OURS: &str = "nexus_";

/// If this program was called as a compiler, it is one.
pub(crate) fn instead() -> Option<ExitCode> {
    std::env::var_os(MARK)?;
    let mut words = std::env::args_os().skip(1);
    let compiler = words.next()?;
    let words = kept(words.collect());
    let ended = Command::new(&compiler).args(words).status();
    match ended.map(|status| status.code().and_then(|code| u8::try_from(code).ok())) {
        Ok(code) => Some(code.map_or(ExitCode::FAILURE, ExitCode::from)),
        Err(error) => {
            eprintln!("xtask: {} cannot be run: {error}.", compiler.display());
            Some(ExitCode::FAILURE)
        }
    }
}

/// What a compiler is told, without instrumentation unless it compiles a crate of ours.
fn kept(words: Vec<OsString>) -> Vec<OsString> {
    let named = words.windows(2).find(|pair| pair[0] == "--crate-name").map(|pair| pair[1].clone());
    let ours = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(OURS));
    let target = |word: &OsString| word.to_str().is_some_and(|word| word.starts_with("fuzz_targets/"));
    if named.is_none_or(|name| ours(&name)) || words.iter().any(target) {
        return words;
    }
    words.into_iter().filter(|word| !word.to_str().is_some_and(instruments)).collect()
}

fn instruments(word: &str) -> bool {
    let option = word.strip_prefix("-C").unwrap_or_default();
    option.starts_with("passes=sancov")
        || option.starts_with("llvm-args=-sanitizer-coverage")
        || option.starts_with("llvm-args=-simplifycfg-branch-fold-threshold")
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTRUMENTED: [&str; 4] = [
        "-Cpasses=sancov-module",
        "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
        "-Copt-level=3",
    ];

    fn kept_of(crate_name: &str, source: &str) -> Vec<String> {
        let words = ["--crate-name", crate_name, source].into_iter().chain(INSTRUMENTED);
        let kept = kept(words.map(OsString::from).collect());
        kept.into_iter().map(|word| word.into_string().expect("text")).skip(3).collect()
    }

    #[test]
    fn crates_and_targets_of_ours_keep_what_the_fuzzer_learns_from() {
        assert_eq!(kept_of("nexus_network", "src/lib.rs"), INSTRUMENTED);
        assert_eq!(kept_of("links", "fuzz_targets/links.rs"), INSTRUMENTED);
    }

    #[test]
    fn others_crates_are_compiled_without_it_and_with_everything_else() {
        assert_eq!(kept_of("curve25519_dalek", "src/lib.rs"), ["-Copt-level=3"]);
        let asked = ["-vV".to_owned()].map(OsString::from).to_vec();
        assert_eq!(kept(asked.clone()), asked, "a question about the compiler itself");
    }
}
