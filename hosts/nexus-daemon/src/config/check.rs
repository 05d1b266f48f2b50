//! What can be said of a configuration without starting a node.

use std::fmt;
use std::fs;

use super::{Config, Medium};
use crate::key_store::{self, KeyStoreError};
use crate::passphrase::Source;
use nexus_secure::at_rest::{self, CannotOpen};

/// Something that keeps a node from starting with this configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(pub String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with `config`, in the order of the file.
#[must_use]
pub fn check(config: &Config) -> Vec<Problem> {
    let mut problems: Vec<_> = key(config).into_iter().collect();
    for interface in &config.interfaces {
        let name = &interface.name;
        match &interface.medium {
            // A port that is not there is waited for.
            Medium::Udp { .. }
            | Medium::TcpListen { .. }
            | Medium::TcpConnect { .. }
            | Medium::Rnode { .. }
            | Medium::Serial { .. }
            | Medium::Auto { .. }
            | Medium::Shared { .. } => {}
            Medium::Pipe { command } => {
                let program = command.first().map(String::as_str).unwrap_or_default();
                if !is_there(program) {
                    problems.push(Problem(format!("{name} cannot start {program:?}: it is not there")));
                }
            }
        }
    }
    problems
}

fn key(config: &Config) -> Option<Problem> {
    let bytes = match key_store::read(&config.identity) {
        Ok(bytes) => bytes,
        // It is made at the first start.
        Err(KeyStoreError::Missing(_)) => return None,
        Err(refusal) => return Some(Problem(refusal.to_string())),
    };
    let path = config.identity.display();
    match at_rest::open(&bytes, None) {
        Err(CannotOpen::Locked) if config.passphrase == Source::None => Some(Problem(format!(
            "the key file {path} is locked, and the configuration names no source of its `passphrase`"
        ))),
        Ok(_) | Err(CannotOpen::Locked) => None,
        Err(refusal) => Some(Problem(format!("{path}: {refusal}"))),
    }
}

/// A path, or a name on the search path.
fn is_there(program: &str) -> bool {
    let is_file = |path: &std::path::Path| fs::metadata(path).is_ok_and(|found| found.is_file());
    if program.contains('/') {
        return is_file(program.as_ref());
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).any(|directory| is_file(&directory.join(program)))
}
