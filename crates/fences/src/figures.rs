//! The size and the shape of each crate in numbers.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cargo_metadata::TargetKind;

use crate::error::Error;
use crate::workspace::{Workspace, src};

/// A table of all crates: how large they are and how tangled.
///
/// # Errors
/// A source file is missing, cannot be read, or is not Rust.
pub fn figures(workspace: &Workspace) -> Result<String, Error> {
    let mut table = String::from(
        "| crate | lines in src | files | at the root of src | floors | largest circle | test binaries |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for (package, graph) in workspace.packages().into_iter().zip(workspace.graphs()?) {
        let src = src(package);
        let mut size = Size::default();
        size.add(&src)?;
        let tests = package
            .targets
            .iter()
            .filter(|target| target.kind.contains(&TargetKind::Test));
        // Text in memory takes everything that is written to it.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} |",
            package.name,
            size.lines,
            size.files,
            at_the_root(&src)?,
            graph.floors(),
            graph.largest_circle(),
            tests.count(),
        );
    }
    Ok(table)
}

#[derive(Default)]
struct Size {
    lines: usize,
    files: usize,
}

impl Size {
    /// Adds everything below a folder, unit tests too: anyone who looks for something sees them.
    fn add(&mut self, folder: &Path) -> Result<(), Error> {
        for path in entries(folder)? {
            if path.is_dir() {
                self.add(&path)?;
            } else if is_rust(&path) {
                let text = fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
                self.lines += text.lines().count();
                self.files += 1;
            }
        }
        Ok(())
    }
}

fn at_the_root(src: &Path) -> Result<usize, Error> {
    Ok(entries(src)?.iter().filter(|path| is_rust(path)).count())
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect()
}
