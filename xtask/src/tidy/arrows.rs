//! A crate depends only on crates above it in the map.

use crate::metadata::{DependencyKind, Metadata, Package};
use crate::tidy::Finding;

/// The map, from the ground up. A crate may depend on those before it.
const MAP: [&str; 25] = [
    "nexus-machine",
    "nexus-crypto",
    "nexus-wire",
    "nexus-network",
    "nexus-secure",
    "nexus-endpoint",
    "nexus-economy",
    "nexus-market",
    "nexus-vm",
    "nexus-services",
    "nexus-apps",
    "nexus-node",
    "nexus-daemon",
    "nexus-cli",
    "nexus-bridge",
    "nexus-web",
    "nexus-testkit",
    "nexus-selfcheck",
    "nexus-plot",
    "nexus-stock",
    "nexus-air",
    "nexus-netns",
    "nexus-sim",
    "nexus-bench",
    "xtask",
];

/// The arrows that point down all the same: the demo's radio medium.
const EXCEPTIONS: [(&str, &str); 1] = [("nexus-cli", "nexus-air")];

/// What any crate's tests may use: the laws, the digests that targets agree on, figures of what was measured, and networks for
/// processes.
const TEST_VOCABULARY: [&str; 5] =
    ["nexus-testkit", "nexus-selfcheck", "nexus-plot", "nexus-stock", "nexus-netns"];

/// Findings on every arrow that points down, and on crates that are not in the map.
pub(crate) fn check(metadata: &Metadata) -> Vec<Finding> {
    metadata.packages.iter().flat_map(|package| check_package(metadata, package)).collect()
}

fn check_package(metadata: &Metadata, package: &Package) -> Vec<Finding> {
    let path = metadata.relative(&package.manifest_path);
    let Some(own) = place(&package.name) else {
        let message =
            format!("{} is not in the map: place it in {} and ARCHITECTURE.md.", package.name, file!());
        return vec![Finding::new(&path, 0, message)];
    };
    let is_ours = |name: &str| metadata.packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for dependency in package.dependencies.iter().filter(|dependency| is_ours(&dependency.name)) {
        let name = dependency.name.as_str();
        let for_tests = dependency.kind == Some(DependencyKind::Dev) && TEST_VOCABULARY.contains(&name);
        let excepted = EXCEPTIONS.contains(&(package.name.as_str(), name));
        let points_up = place(name).is_some_and(|place| place < own);
        if !(points_up || for_tests || excepted) {
            let message =
                format!("{} may not depend on {name}, which is not above it in the map.", package.name);
            findings.push(Finding::new(&path, 0, message));
        }
    }
    findings
}

fn place(name: &str) -> Option<usize> {
    MAP.iter().position(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, workspace};

    #[test]
    fn an_arrow_that_points_down_is_found() {
        let metadata = workspace(&[
            ("protocol/nexus-wire", &[("nexus-network", None), ("serde", None)]),
            ("protocol/nexus-network", &[("nexus-wire", None)]),
        ]);
        assert_eq!(places(&check(&metadata)), [("protocol/nexus-wire/Cargo.toml", 0)]);
    }

    #[test]
    fn tests_may_use_laws_and_digests_and_nothing_else_may() {
        let dev = workspace(&[
            ("proving/nexus-testkit", &[("nexus-machine", None)]),
            ("proving/nexus-selfcheck", &[("nexus-machine", None)]),
            ("protocol/nexus-machine", &[("nexus-testkit", Some("dev")), ("nexus-selfcheck", Some("dev"))]),
        ]);
        assert_eq!(check(&dev), []);
        let normal = workspace(&[
            ("proving/nexus-testkit", &[]),
            ("protocol/nexus-machine", &[("nexus-testkit", None)]),
            ("protocol/nexus-crypto", &[("nexus-testkit", Some("build"))]),
        ]);
        assert_eq!(check(&normal).len(), 2);
    }

    #[test]
    fn only_the_program_with_the_demo_reaches_the_radio_medium() {
        let metadata = workspace(&[
            ("proving/nexus-air", &[]),
            ("hosts/nexus-cli", &[("nexus-air", None)]),
            ("hosts/nexus-daemon", &[("nexus-air", Some("dev"))]),
        ]);
        assert_eq!(places(&check(&metadata)), [("hosts/nexus-daemon/Cargo.toml", 0)]);
    }

    #[test]
    fn a_crate_outside_the_map_is_found() {
        let metadata = workspace(&[("protocol/nexus-extra", &[])]);
        assert_eq!(places(&check(&metadata)), [("protocol/nexus-extra/Cargo.toml", 0)]);
    }
}
