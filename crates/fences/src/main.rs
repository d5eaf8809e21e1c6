//! Shows the structure of a workspace: `cargo run -p fences -- graph`, `cargo run -p fences -- figures PATH`.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use fences::{Detail, Workspace, drawing, figures};

const USAGE: &str = "\
cargo run -p fences -- graph [--files] [PATH]   a flowchart of the modules of each crate (Mermaid), then the figures
cargo run -p fences -- figures [PATH]           lines, files, floors and circles of each crate

PATH is the folder of a workspace; this one if it is left out. Nothing in it is changed.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let shown = match arguments.as_slice() {
        ["graph"] => graph(".", Detail::Modules),
        ["graph", "--files"] => graph(".", Detail::Files),
        ["graph", "--files", path] => graph(path, Detail::Files),
        ["graph", path] => graph(path, Detail::Modules),
        ["figures"] => read(".").and_then(|workspace| Ok(figures(&workspace)?)),
        ["figures", path] => read(path).and_then(|workspace| Ok(figures(&workspace)?)),
        _ => Err(USAGE.into()),
    };
    // No one is left to tell if this fails: the reader of a pipe may have gone.
    match shown {
        Ok(text) => {
            let _ = write!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &str) -> Result<Workspace, Box<dyn Error>> {
    Ok(Workspace::read(Path::new(path))?)
}

fn graph(path: &str, detail: Detail) -> Result<String, Box<dyn Error>> {
    let workspace = read(path)?;
    let mut text = String::new();
    for graph in workspace.graphs()? {
        text.push_str(&drawing(&graph, detail));
        text.push('\n');
    }
    text.push_str(&figures(&workspace)?);
    Ok(text)
}
