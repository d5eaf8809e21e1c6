//! `cargo run --release -p bench`: see the library.

use std::fs;
use std::io::Write;
use std::process::ExitCode;

use bench::options::{Options, Plan};
use bench::results::Results;
use bench::{Fallible, chart, report, run};
use clap::Parser;

// One thread: the driver shares the cores with what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let plan = Plan::from(Options::parse());
    let outcome = match run::run(&plan).await {
        Ok(results) => publish(&plan, &results).map(|()| results.failures()),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => fail(&format!(
            "{failures} requests were answered wrongly: these figures count for nothing"
        )),
        Err(error) => fail(&error.to_string()),
    }
}

fn publish(plan: &Plan, results: &Results) -> Fallible<()> {
    let report = report::markdown(results);
    fs::create_dir_all(&plan.output)?;
    fs::write(
        plan.output.join("results.json"),
        serde_json::to_vec_pretty(results)?,
    )?;
    fs::write(plan.output.join("report.md"), &report)?;
    let mut written = "results.json, report.md".to_owned();
    if let Some(chart) = chart::svg(results)? {
        fs::write(plan.output.join("chart.svg"), chart)?;
        written += ", chart.svg";
    }
    writeln!(
        std::io::stdout(),
        "{report}\nWritten to {}: {written}",
        plan.output.display()
    )?;
    Ok(())
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "bench: {message}");
    ExitCode::FAILURE
}
