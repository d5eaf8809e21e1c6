//! `task-api dev`: everything that a front-end developer needs, from nothing.

use std::env;
use std::io;
use std::thread;
use std::time::Duration;

use domain::identity::Owner;

use crate::commands::dev_folder::DevFolder;
use crate::commands::output::print;
use crate::commands::serve::Running;
use crate::commands::token::development_token;
use crate::config::{
    self, Config, ConfigError, DatabaseConfig, DatabaseLocation, LogConfig, LogFormat, ObserveConfig,
    Purpose, SHARED_SECRETS, Source, TokenConfig, shared_secrets, unknown,
};
use crate::failure::Failure;
use crate::telemetry;
use adapters_http::observe::access_log::AccessLog;
use adapters_http::policy::Policy;
use adapters_http::policy::own_host::OwnHost;

/// How long the token that `dev` prints is good for.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Serves with a SQLite file and a secret of our own, and prints how to try it.
pub(crate) async fn run(source: &Source) -> Result<(), Failure> {
    let log_level = telemetry::start(LogConfig::from_source(source, LogFormat::Text)?);
    source.log_dotenv();
    let folder = DevFolder::here();
    let mut secrets = shared_secrets(source)?;
    let own_secret = secrets.is_empty();
    if own_secret {
        let secret = folder.secret_or_new();
        secrets.push(secret.map_err(|error| cannot_use(&folder, &error))?);
    }
    let tokens = TokenConfig::with_secrets(secrets, source)?;
    tokens.log_warnings();
    folder.make().map_err(|error| cannot_use(&folder, &error))?;
    let token = token_of_dev_user(&tokens)?;
    let keys = keys_of(&tokens, own_secret);
    let http = config::server(source)?;
    let own_host = OwnHost::new(&http.host);
    if !own_host.is_loopback() {
        tracing::warn!(
            host = http.host,
            "HOST is no loopback address: whoever reaches this port gets the token of /docs"
        );
    }
    let config = Config {
        http,
        database: DatabaseConfig::at(
            "DATABASE_URL",
            DatabaseLocation::Sqlite(folder.database_file()),
            source,
        )?,
        tokens,
        policy: Policy {
            docs_token: Some(token.clone().into()),
            // As it was written: `curl` sends `127.1` as it is, and only a browser writes it as an address.
            docs_host: Some(source.text("HOST").map_or(own_host, |host| OwnHost::new(&host))),
            ..config::policy(source, Purpose::Develop)?
        },
        observe: observe_config(source)?,
    };
    unknown::log_warnings(source);
    let server = Running::start(config, log_level).await?;
    greet(welcome(server.url(), &token, &keys, &this_program()));
    server.run().await
}

/// Each request is logged with its path, unless `ACCESS_LOG` says otherwise.
fn observe_config(source: &Source) -> Result<ObserveConfig, ConfigError> {
    let config = ObserveConfig::from_source(source)?;
    Ok(match source.text("ACCESS_LOG") {
        Some(_) => config,
        None => ObserveConfig {
            access_log: AccessLog::Paths,
            ..config
        },
    })
}

/// Prints, without waiting for anyone who reads it: the server is useful without.
fn greet(welcome: String) {
    let printing = move || {
        if let Err(failure) = print(&welcome) {
            tracing::warn!("the greeting with the token is lost: {}", failure.message());
        }
    };
    if let Err(error) = thread::Builder::new().spawn(printing) {
        tracing::warn!(%error, "the greeting with the token is lost");
    }
}

fn cannot_use(folder: &DevFolder, error: &io::Error) -> Failure {
    Failure::unavailable(format!(
        "cannot use the folder {}: {error}",
        folder.path().display()
    ))
}

fn token_of_dev_user(tokens: &TokenConfig) -> Result<String, Failure> {
    let user = Owner::parse("dev-user").map_err(|error| Failure::unavailable(error.to_string()))?;
    development_token(&tokens.rules, user, TOKEN_TTL)
}

/// The keys that verify tokens.
fn keys_of(tokens: &TokenConfig, own_secret: bool) -> String {
    let secret = if own_secret {
        "the secret in .task-api/secret".to_owned()
    } else {
        format!("the shared secrets ({SHARED_SECRETS})")
    };
    match &tokens.key_set {
        Some(key_set) => format!("{secret} and the keys at {}", key_set.url),
        None => secret,
    }
}

/// How this program is called here: as `cargo run` does it, or by the name or path that it was started with.
fn this_program() -> String {
    // Cargo sets it for what it runs (The Cargo Book, environment variables).
    if env::var_os("CARGO").is_some() {
        return "cargo run --quiet --".to_owned();
    }
    env::args().next().unwrap_or_else(|| "task-api".to_owned())
}

fn welcome(url: &str, token: &str, keys: &str, program: &str) -> String {
    format!(
        "\nTask API for development: {url}\n\
         Try it in a browser: {url}/docs\n\
         Tasks are kept in .task-api/tasks.db; tokens are verified with {keys}.\n\n\
         A token of the user dev-user, good for a day:\n\n\
         export TOKEN={token}\n\n\
         Try it in another terminal:\n\n\
         curl -i {url}/api/tasks -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \
         -d '{{\"title\": \"Buy milk\"}}'\n\
         curl -i {url}/api/tasks -H \"Authorization: Bearer $TOKEN\"\n\n\
         Another user's token: {program} token --user alice (in this folder). Ctrl-C stops.\n"
    )
}
