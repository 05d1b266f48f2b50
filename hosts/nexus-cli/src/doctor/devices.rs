//! Serial devices: radios hang on them.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;

use super::machine::{Machine, User};
use super::{Case, Finding};

/// Every serial device that is there can be used, and is.
pub(super) fn serial(case: &Case) -> Vec<Finding> {
    let machine = &case.machine;
    let mut findings = vec![];
    for path in machine.list("dev") {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !(name.starts_with("ttyUSB") || name.starts_with("ttyACM")) {
            continue;
        }
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        let device = machine.name_of(&path);
        if may_use(&machine.user, &metadata) {
            findings.extend(unused(case, &device));
            continue;
        }
        let user = &machine.user.name;
        let by_group = metadata.mode() & 0o060 == 0o060;
        findings.push(match group_name(machine, metadata.gid()).filter(|_| by_group) {
            Some(group) => Finding::problem(
                format!("{user} may not use the serial device {device}: it is for the group {group}"),
                format!("sudo usermod -aG {group} {user}  # and log in again"),
            ),
            None => Finding::problem(
                format!("{user} may not use the serial device {device}"),
                format!("sudo chmod 660 {device}"),
            ),
        });
    }
    findings
}

/// A device that no interface of the node is on: perhaps a radio that nobody told it of.
fn unused(case: &Case, device: &str) -> Option<Finding> {
    let status = case.daemon.as_ref().ok()?;
    if status.interfaces.iter().any(|interface| interface.address == device) {
        return None;
    }
    let sentence = format!("no interface uses the serial device {device}: if it is a radio, the node can");
    Some(Finding::note(sentence, Some("nexus node config  # shows what stands below [[rnode]]".to_owned())))
}

/// Whether a user may read and write a file, by its mode.
fn may_use(user: &User, metadata: &Metadata) -> bool {
    let shift = if metadata.uid() == user.uid {
        6
    } else if user.groups.contains(&metadata.gid()) {
        3
    } else {
        0
    };
    user.uid == 0 || metadata.mode() >> shift & 0o6 == 0o6
}

fn group_name(machine: &Machine, gid: u32) -> Option<String> {
    let groups = machine.read("etc/group");
    let line = groups.lines().find(|line| line.split(':').nth(2) == Some(gid.to_string().as_str()))?;
    line.split(':').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::doctor::running;
    use crate::doctor::tests::{case, lay, sentences};

    #[test]
    fn a_radio_that_the_user_may_not_use_is_found_with_the_group_to_join() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        assert_eq!(serial(&case), []);
        let device = lay(&directory, "dev/ttyUSB0", "");
        lay(&directory, "dev/tty0", "");
        fs::set_permissions(&device, fs::Permissions::from_mode(0o660)).unwrap();
        let metadata = fs::metadata(&device).unwrap();
        lay(&directory, "etc/group", &format!("root:x:99999:\ndialout:x:{}:\n", metadata.gid()));
        case.machine.user.uid = metadata.uid() + 1;
        let found = serial(&case);
        assert_eq!(
            sentences(&found),
            ["anna may not use the serial device /dev/ttyUSB0: it is for the group dialout"]
        );
        assert!(found[0].mend.as_ref().unwrap().starts_with("sudo usermod -aG dialout anna"));
        fs::set_permissions(&device, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(serial(&case)[0].mend.as_deref(), Some("sudo chmod 660 /dev/ttyUSB0"));
    }

    #[test]
    fn a_device_that_no_interface_is_on_is_a_note() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        let device = lay(&directory, "dev/ttyUSB0", "");
        fs::set_permissions(&device, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(serial(&case), [], "without a node nothing is known of its interfaces");
        let mut status = running::tests::status();
        case.daemon = Ok(status.clone());
        assert_eq!(
            sentences(&serial(&case)),
            ["no interface uses the serial device /dev/ttyUSB0: if it is a radio, the node can"]
        );
        "/dev/ttyUSB0".clone_into(&mut status.interfaces[0].address);
        case.daemon = Ok(status);
        assert_eq!(serial(&case), []);
    }

    #[test]
    fn owner_group_and_others_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let device = lay(&directory, "dev/ttyACM0", "");
        fs::set_permissions(&device, fs::Permissions::from_mode(0o060)).unwrap();
        let metadata = fs::metadata(&device).unwrap();
        let user = |uid, groups: &[u32]| User { uid, groups: groups.to_vec(), name: String::new() };
        let owner = metadata.uid();
        assert_eq!(
            may_use(&user(owner, &[metadata.gid()]), &metadata),
            owner == 0,
            "the owner's bits come first"
        );
        assert!(may_use(&user(owner + 1, &[metadata.gid()]), &metadata));
        assert!(!may_use(&user(owner + 1, &[metadata.gid() + 1]), &metadata));
        assert!(may_use(&user(0, &[]), &metadata));
    }
}
