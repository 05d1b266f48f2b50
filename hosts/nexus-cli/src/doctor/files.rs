//! The state directory and what is in it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Case, Finding};
use crate::quantities::bytes;

/// Below this much free space the store may not be able to write, in bytes.
const LEAST_FREE: u64 = 64_000_000;

/// It is there, a directory, this user's and nobody else's.
pub(super) fn state_directory(patient: &Case) -> Vec<Finding> {
    let path = patient.state.path();
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => {
            vec![Finding::problem(
                format!("{} is no directory", path.display()),
                format!("mv {} {0}.old", quoted(path)),
            )]
        }
        Ok(metadata) => private(patient, path, &metadata, 0o700),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let sentence = format!("there is no {}: the node makes it when it starts", path.display());
            vec![Finding::note(sentence, Some("nexus node start".to_owned()))]
        }
        Err(cause) => vec![Finding::problem(
            format!("{} cannot be looked at: {cause}", path.display()),
            format!("sudo chown -R {} {}", patient.machine.user.name, quoted(path)),
        )],
    }
}

/// If there is one, it is this user's and nobody else's.
pub(super) fn key_file(patient: &Case) -> Vec<Finding> {
    let path = patient.state.key();
    fs::metadata(&path).map_or_else(|_none| vec![], |metadata| private(patient, &path, &metadata, 0o600))
}

/// There is room to write.
pub(super) fn disk_space(patient: &Case) -> Vec<Finding> {
    let existing = patient.state.path().ancestors().find(|path| path.exists());
    let Some((path, room)) = existing.and_then(|path| Some((path, rustix::fs::statvfs(path).ok()?))) else {
        return vec![];
    };
    room_on(path, room.f_bavail.saturating_mul(room.f_frsize))
}

fn room_on(path: &Path, free: u64) -> Vec<Finding> {
    if free >= LEAST_FREE {
        return vec![];
    }
    let sentence = format!(
        "only {} are free where {} lies: the node may not be able to write",
        bytes(free),
        path.display()
    );
    vec![Finding::problem(sentence, format!("df -h {}", quoted(path)))]
}

fn private(patient: &Case, path: &Path, metadata: &Metadata, mode: u32) -> Vec<Finding> {
    let mut findings = vec![];
    let user = &patient.machine.user;
    if metadata.uid() != user.uid {
        findings.push(Finding::problem(
            format!("{} belongs to user {}, and {} asks", path.display(), metadata.uid(), user.name),
            format!("sudo chown {} {}", user.name, quoted(path)),
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        findings.push(Finding::problem(
            format!("{} is open to others (mode {:03o})", path.display(), metadata.mode() & 0o777),
            format!("chmod {mode:o} {}", quoted(path)),
        ));
    }
    findings
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+".contains(character);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::doctor::Weight;
    use crate::doctor::tests::{case, sentences};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_missing_state_directory_is_only_a_note() {
        let directory = tempfile::tempdir().unwrap();
        let found = state_directory(&case(&directory));
        assert_eq!(found[0].weight, Weight::Note);
        assert_eq!(key_file(&case(&directory)), []);
    }

    #[test]
    fn what_is_open_to_others_or_anothers_is_found_with_the_command_that_mends_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        fs::create_dir(case.state.path()).unwrap();
        fs::write(case.state.key(), "key").unwrap();
        case.machine.user.uid = fs::metadata(case.state.path()).unwrap().uid();
        mode(case.state.path(), 0o755);
        mode(&case.state.key(), 0o640);
        let (open, key) = (state_directory(&case), key_file(&case));
        assert_eq!(open[0].mend, Some(format!("chmod 700 {}", quoted(case.state.path()))));
        assert_eq!(key[0].mend, Some(format!("chmod 600 {}", quoted(&case.state.key()))));
        mode(case.state.path(), 0o700);
        mode(&case.state.key(), 0o600);
        assert_eq!((state_directory(&case), key_file(&case)), (vec![], vec![]));
        case.machine.user.uid += 1;
        let found = state_directory(&case);
        assert!(sentences(&found)[0].ends_with("and anna asks"), "{found:?}");
        assert!(found[0].mend.as_ref().unwrap().starts_with("sudo chown anna "), "{found:?}");
    }

    #[test]
    fn a_file_in_its_place_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let case = case(&directory);
        fs::write(case.state.path(), "").unwrap();
        assert!(sentences(&state_directory(&case))[0].ends_with("is no directory"));
    }

    #[test]
    fn little_room_is_found_and_enough_is_not() {
        let path = Path::new("/var/lib/nexus");
        assert_eq!(room_on(path, LEAST_FREE), []);
        let found = room_on(path, LEAST_FREE - 1);
        assert!(sentences(&found)[0].starts_with("only 63.9 MB are free"), "{found:?}");
    }

    #[test]
    fn a_command_can_be_pasted_whatever_the_path() {
        assert_eq!(quoted(Path::new("/var/lib/nexus")), "/var/lib/nexus");
        assert_eq!(quoted(Path::new("/a b; rm 'x'")), r"'/a b; rm '\''x'\'''");
    }
}
