//! A workspace on disk: its crates, their manifests and their sources.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};

use crate::error::Error;
use crate::graph::{Graph, Target};

/// A workspace, as its manifests describe it.
#[derive(Debug)]
pub struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    /// Reads the manifests below `root`. Nothing is written and nothing is fetched.
    ///
    /// # Errors
    /// Cargo refuses a manifest.
    pub fn read(root: &Path) -> Result<Self, Error> {
        let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
        Ok(Self { metadata })
    }

    /// Where its `Cargo.toml` is.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Its crates, by name.
    #[must_use]
    pub fn packages(&self) -> Vec<&Package> {
        let mut packages = self.metadata.workspace_packages();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        packages
    }

    /// The graph of the modules of each crate.
    ///
    /// # Errors
    /// A source file is missing, cannot be read, or is not Rust.
    pub fn graphs(&self) -> Result<Vec<Graph>, Error> {
        self.packages().into_iter().map(graph).collect()
    }
}

/// The folder with the sources of a crate.
pub(crate) fn src(package: &Package) -> PathBuf {
    let manifest = package.manifest_path.as_std_path();
    manifest.with_file_name("src")
}

/// The graph of the modules of one crate. A build script is a crate of its own and has no part in it.
fn graph(package: &Package) -> Result<Graph, Error> {
    let is_library = |target: &cargo_metadata::Target| {
        target
            .kind
            .iter()
            .any(|kind| matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::ProcMacro))
    };
    let mut targets: Vec<Target> = Vec::new();
    for target in &package.targets {
        if is_library(target) {
            targets.push(Target {
                name: package.name.to_string(),
                library: Some(target.name.replace('-', "_")),
                start: target.src_path.clone().into_std_path_buf(),
            });
        } else if target.kind.contains(&TargetKind::Bin) {
            targets.push(Target {
                name: format!("{}/{}", package.name, target.name),
                library: None,
                start: target.src_path.clone().into_std_path_buf(),
            });
        }
    }
    Graph::read(&package.name, &src(package), &targets)
}
