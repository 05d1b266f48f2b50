//! The machine that is looked at: everything below one root, so that a test can lay out another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// A machine.
pub(super) struct Machine {
    /// Its root directory.
    pub(super) root: PathBuf,
    /// Who asks.
    pub(super) user: User,
    /// What its clock says; 0 if it is before 1970.
    pub(super) unix_s: u64,
    /// Whether something keeps its clock right; none if nothing says so.
    pub(super) synchronized: Option<bool>,
}

/// A user, as far as permissions go.
pub(super) struct User {
    /// The effective user.
    pub(super) uid: u32,
    /// Its groups.
    pub(super) groups: Vec<u32>,
    /// What it is called.
    pub(super) name: String,
}

impl Machine {
    /// The one that this program runs on.
    pub(super) fn this() -> Self {
        let root = PathBuf::from("/");
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let user = User::read(&status, &fs::read_to_string("/etc/passwd").unwrap_or_default());
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { root, user, unix_s, synchronized: synchronized() }
    }

    /// A path below the root.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A path as the machine itself calls it.
    pub(super) fn name_of(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .map_or_else(|_outside| path.display().to_string(), |below| format!("/{}", below.display()))
    }

    /// A file's text; empty if it cannot be read.
    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    /// The entries of a directory, by name; none if it cannot be read.
    pub(super) fn list(&self, path: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.at(path)).into_iter().flatten();
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort_unstable();
        paths
    }

    /// Whether a program is installed.
    pub(super) fn has_program(&self, name: &str) -> bool {
        ["usr/sbin", "sbin", "usr/bin", "bin"].iter().any(|folder| self.at(folder).join(name).exists())
    }
}

impl User {
    fn read(status: &str, passwd: &str) -> Self {
        let numbers = |field: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
            line.split_whitespace().filter_map(|number| number.parse().ok()).collect()
        };
        // Real, effective, saved, of the file system.
        let effective = |field| numbers(field).get(1).copied();
        let uid = effective("Uid:").unwrap_or(u32::MAX);
        let groups = numbers("Groups:").into_iter().chain(effective("Gid:")).collect();
        let named = passwd.lines().find(|line| line.split(':').nth(2) == Some(uid.to_string().as_str()));
        let name =
            named.and_then(|line| line.split(':').next()).map_or_else(|| uid.to_string(), str::to_owned);
        Self { uid, groups, name }
    }
}

fn synchronized() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let asked =
        Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output().ok()?;
    match String::from_utf8_lossy(&asked.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _nothing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_who_acts_and_every_group_that_it_is_in() {
        let status = "Name:\tnexus\nUid:\t0\t1000\t0\t0\nGid:\t0\t1001\t0\t0\nGroups:\t20 27 \n";
        let user = User::read(status, "root:x:0:0::/root:/bin/sh\nanna:x:1000:1001::/home/anna:/bin/sh\n");
        assert_eq!((user.uid, user.groups, user.name.as_str()), (1_000, vec![20, 27, 1_001], "anna"));
        assert_eq!(User::read(status, "").name, "1000");
        assert_eq!(User::read("", "").uid, u32::MAX);
    }
}
