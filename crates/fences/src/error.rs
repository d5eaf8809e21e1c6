//! Why a fence could not be checked.

use std::path::PathBuf;

/// Why a fence could not be checked. A broken rule is no error: the checks return those as text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not Rust.
    #[error("{}:{}: {source}", path.display(), source.span().start().line)]
    Syntax {
        /// Which one.
        path: PathBuf,
        /// What the parser expected.
        source: syn::Error,
    },
    /// `mod name;` without a file.
    #[error("{}: no file for `mod {name};`", path.display())]
    NoFile {
        /// The file that declares the module.
        path: PathBuf,
        /// The module.
        name: String,
    },
    /// A line of a rules file does not follow its form.
    #[error("{file}:{line}: {reason}")]
    Rule {
        /// The rules file.
        file: &'static str,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// `cargo metadata` failed.
    #[error(transparent)]
    Metadata(#[from] cargo_metadata::Error),
    /// `cargo tree` failed.
    #[error("cargo tree: {0}")]
    Tree(String),
}
