//! What cargo knows of the workspace and of everything it depends on, as plain data.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, TargetKind};

use crate::exit::Failure;

/// A package of the workspace, or one that it depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Of the workspace's own: the path of the manifest, relative to the workspace.
    pub(crate) manifest: Option<String>,
    /// The licence expression, as the package states it.
    pub(crate) licence: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// One line of a package's dependencies.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    /// The package's name, also where it is renamed.
    pub(crate) name: String,
    /// Whether it is found by its path, not in the registry.
    pub(crate) local: bool,
    /// Whether only tests, examples and benchmarks see it.
    pub(crate) development: bool,
}

/// Something that cargo compiles.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The root module's file, relative to the workspace.
    pub(crate) source: String,
    /// Whether it is a library or a program, not a test or an example.
    pub(crate) product: bool,
}

/// All packages.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    /// Asks cargo, with all features, for the given platforms (target triples; none means all).
    /// Changes no lock file.
    pub(crate) fn read(root: &Path, platforms: &[String]) -> Result<Self, Failure> {
        let mut options = vec!["--locked".to_owned(), "--all-features".to_owned()];
        for platform in platforms {
            options.extend(["--filter-platform".to_owned(), platform.clone()]);
        }
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .other_options(options)
            .exec()
            .map_err(|error| Failure::host("asking cargo for the workspace's packages", error))?;
        let members = &metadata.workspace_members;
        let relative = |path: &cargo_metadata::camino::Utf8Path| {
            path.strip_prefix(&metadata.workspace_root)
                .unwrap_or(path)
                .as_str()
                .to_owned()
        };
        let package = |package: &cargo_metadata::Package| Package {
            name: package.name.to_string(),
            version: package.version.to_string(),
            manifest: members
                .contains(&package.id)
                .then(|| relative(&package.manifest_path)),
            licence: package.license.clone(),
            dependencies: package.dependencies.iter().map(Dependency::from).collect(),
            targets: package
                .targets
                .iter()
                .map(|target| Target {
                    source: relative(&target.src_path),
                    product: target.kind.iter().any(is_product),
                })
                .collect(),
        };
        Ok(Self {
            packages: metadata.packages.iter().map(package).collect(),
        })
    }

    /// The workspace's own packages, each with its manifest's path.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&Package, &str)> {
        self.packages
            .iter()
            .filter_map(|package| Some((package, package.manifest.as_deref()?)))
    }
}

impl From<&cargo_metadata::Dependency> for Dependency {
    fn from(dependency: &cargo_metadata::Dependency) -> Self {
        Self {
            name: dependency.name.clone(),
            local: dependency.path.is_some(),
            development: dependency.kind == DependencyKind::Development,
        }
    }
}

fn is_product(kind: &TargetKind) -> bool {
    matches!(
        kind,
        TargetKind::Bin
            | TargetKind::Lib
            | TargetKind::RLib
            | TargetKind::CDyLib
            | TargetKind::DyLib
            | TargetKind::StaticLib
            | TargetKind::ProcMacro
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_told_from_a_dependency_and_a_test_from_a_product() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "Cargo.toml",
            "[package]\nname = \"one\"\nversion = \"1.0.0\"\nedition = \"2024\"\nlicense = \"MIT\"\n\
             [dev-dependencies]\ntwo = { path = \"two\" }\n[workspace]\nmembers = [\"two\"]\n",
        );
        write("src/lib.rs", "");
        write("tests/all.rs", "");
        write(
            "two/Cargo.toml",
            "[package]\nname = \"two\"\nversion = \"1.0.0\"\nedition = \"2024\"\n",
        );
        write("two/src/main.rs", "");
        write(
            "Cargo.lock",
            "version = 4\n[[package]]\nname = \"one\"\nversion = \"1.0.0\"\ndependencies = [\"two\"]\n\
             [[package]]\nname = \"two\"\nversion = \"1.0.0\"\n",
        );
        let workspace = Workspace::read(root.path(), &[]).unwrap();
        let members: Vec<(&str, &str)> = workspace
            .members()
            .map(|(package, manifest)| (package.name.as_str(), manifest))
            .collect();
        assert_eq!(members, [("one", "Cargo.toml"), ("two", "two/Cargo.toml")]);
        let one = workspace.packages.first().unwrap();
        assert_eq!(one.licence.as_deref(), Some("MIT"));
        assert!(
            one.dependencies
                .iter()
                .all(|two| two.local && two.development && two.name == "two")
        );
        let targets: Vec<(&str, bool)> = one
            .targets
            .iter()
            .map(|target| (target.source.as_str(), target.product))
            .collect();
        assert_eq!(targets, [("src/lib.rs", true), ("tests/all.rs", false)]);
    }
}
