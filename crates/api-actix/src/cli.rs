//! The commands of `task-api`.

use std::time::{Duration, Instant};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use crate::commands::check_config;
use crate::commands::copy::{self, CopyArguments};
use crate::commands::dev;
use crate::commands::healthcheck;
use crate::commands::output::{print, print_bytes, print_json};
use crate::commands::serve::Running;
use crate::commands::token::{self, TokenArguments};
use crate::commands::user::{self, UserCommand};
use crate::config::{self, Config, DatabaseConfig, LogConfig, LogFormat, Source, unknown};
use crate::failure::Failure;
use crate::storage::Storage;
use crate::telemetry;
use adapters_http::observe::milliseconds;
use adapters_http::openapi;

/// A secure, multi-tenant task REST API that verifies the tokens of Better Auth.
#[derive(Debug, Parser)]
#[command(name = "task-api", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Settings come from environment variables and from .env in this folder or a parent; .env.example lists them all.
Exit codes: 0 success, 1 not healthy, 2 wrong usage, 65 what is stored is not as it should be, 69 the database is out of \
reach, 78 a setting cannot be used.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (what happens without a command). Needs a database and a secret
    Serve(ListenArguments),
    /// Serve the API for development: needs nothing, keeps tasks in a SQLite file under .task-api/
    Dev(ListenArguments),
    /// Bring the schema of the database up to date, and say what was done
    Migrate {
        /// How long a migration of PostgreSQL may wait for others that use the tables: a dump, another process that
        /// migrates. Requests go on meanwhile
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
        wait: Duration,
    },
    /// Connect to the database, run a test query and print the outcome as JSON
    Check,
    /// Print the settings, where each comes from, and everything that is wrong with them; secrets are not shown
    CheckConfig,
    /// Ask the server that runs at HOST and PORT whether it is ready; for the health check of a container
    Healthcheck(ListenArguments),
    /// Copy all tasks from one database to another, compare both, and print the outcome as JSON
    Copy(CopyArguments),
    /// Export or delete what one user has
    #[command(subcommand)]
    User(UserCommand),
    /// Print a token for development, signed with the shared secret (or with that of `dev`)
    Token(TokenArguments),
    /// Print the OpenAPI document of this version
    Openapi,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Where the server listens. They count before the settings.
#[derive(Debug, Default, Args)]
struct ListenArguments {
    /// The address or name of the server, instead of HOST
    #[arg(long, value_name = "HOST", value_parser = config::parse_host)]
    host: Option<String>,
    /// Its port, instead of PORT; a server takes any free one for 0
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

impl ListenArguments {
    fn over(self, mut source: Source) -> Source {
        if let Some(host) = self.host {
            source.set("HOST", &host);
        }
        if let Some(port) = self.port {
            source.set("PORT", &port.to_string());
        }
        source
    }
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn run(self) -> Result<(), Failure> {
        let outcome = self.carry_out().await;
        telemetry::flush();
        outcome
    }

    async fn carry_out(self) -> Result<(), Failure> {
        // Not before a command wants settings: the others work wherever they are started.
        let source = Source::of_process;
        match self.command.unwrap_or(Command::Serve(ListenArguments::default())) {
            Command::Serve(listen) => serve(&listen.over(source()?)).await,
            Command::Dev(listen) => dev::run(&listen.over(source()?)).await,
            Command::Migrate { wait } => migrate(&source()?, wait).await,
            Command::Check => check(&source()?).await,
            Command::CheckConfig => check_config::run(&source()?),
            Command::Healthcheck(listen) => healthcheck::run(&config::server(&listen.over(source()?))?),
            Command::Copy(arguments) => copy::run(&source()?, arguments).await,
            Command::User(command) => user::run(&source()?, command).await,
            Command::Token(arguments) => token::run(&source()?, arguments),
            Command::Openapi => print(openapi::json()),
            Command::Completions { shell } => completions(shell),
        }
    }
}

async fn serve(source: &Source) -> Result<(), Failure> {
    let started = Instant::now();
    let config = Config::from_source(source)?;
    let log_level = telemetry::start(LogConfig::from_source(source, LogFormat::for_servers())?);
    source.log_dotenv();
    config.tokens.log_warnings();
    unknown::log_warnings(source);
    let server = Running::start(config, log_level).await?;
    let startup_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        url = server.url(),
        version = env!("CARGO_PKG_VERSION"),
        startup_ms,
        "listening"
    );
    server.run().await
}

async fn migrate(source: &Source, wait: Duration) -> Result<(), Failure> {
    let database = DatabaseConfig::from_source(source)?;
    telemetry::start(LogConfig::from_source(source, LogFormat::Text)?);
    source.log_dotenv();
    let (storage, _) = Storage::open(&database, 1).await?;
    let applied = storage.migrate(wait).await?;
    if applied.is_empty() {
        return print("the schema is up to date");
    }
    applied
        .iter()
        .try_for_each(|name| print(&format!("applied {name}")))
}

async fn check(source: &Source) -> Result<(), Failure> {
    let database = DatabaseConfig::from_source(source)?;
    telemetry::start(LogConfig::from_source(source, LogFormat::Text)?);
    source.log_dotenv();
    let outcome = async {
        database.require_file()?;
        let started = Instant::now();
        let (storage, info) = Storage::open(&database, 1).await?;
        let connect = started.elapsed();
        let (_, health) = storage.worker();
        let started = Instant::now();
        health
            .check()
            .await
            .map_err(|error| Failure::unavailable(domain::chain(&error)))?;
        Ok((info, connect, started.elapsed()))
    };
    match outcome.await {
        Ok((info, connect, query)) => print_json(&json!({
            "ok": true, "database": info,
            "connect_ms": milliseconds(connect), "query_ms": milliseconds(query),
        })),
        Err(failure) => {
            let failure: Failure = failure;
            print_json(&json!({ "ok": false, "error": failure.message() }))?;
            Err(failure)
        }
    }
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "task-api", &mut script);
    print_bytes(&script)
}
