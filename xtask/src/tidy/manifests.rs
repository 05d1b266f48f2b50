//! Every crate inherits the workspace's lints.

use crate::metadata::Metadata;
use crate::tidy::Finding;
use crate::tidy::tree::Tree;

/// Findings on manifests without `[lints] workspace = true`.
pub(crate) fn check(tree: &Tree, metadata: &Metadata) -> Vec<Finding> {
    let manifests = metadata.packages.iter().map(|package| metadata.relative(&package.manifest_path));
    let inherits = |path: &String| tree.files.get(path).is_some_and(|text| inherits_lints(text));
    manifests
        .filter(|path| !inherits(path))
        .map(|path| Finding::new(&path, 0, "`[lints]` with `workspace = true` is missing."))
        .collect()
}

fn inherits_lints(manifest: &str) -> bool {
    let lines: Vec<_> = manifest.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree, workspace};

    #[test]
    fn a_manifest_without_the_workspaces_lints_is_found() {
        let metadata = workspace(&[("hosts/a", &[]), ("hosts/b", &[]), ("hosts/c", &[])]);
        let tree = tree(&[
            ("hosts/a/Cargo.toml", "[dependencies]\n\n[lints]\nworkspace = true\n"),
            ("hosts/b/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"\n"),
            ("hosts/c/Cargo.toml", "# [lints]\n# workspace = true\n"),
        ]);
        assert_eq!(places(&check(&tree, &metadata)), [("hosts/b/Cargo.toml", 0), ("hosts/c/Cargo.toml", 0)]);
    }
}
