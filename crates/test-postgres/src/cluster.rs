//! A PostgreSQL cluster of our own.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::TestDatabase;
use crate::programs::Runner;

/// How a cluster differs from the fastest one for tests.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// Lines for `postgresql.conf`, after ours: the last one of a name counts.
    pub settings: Vec<String>,
    /// Files to put into the data folder (name, content), private to the server.
    pub files: Vec<(String, String)>,
    /// Listen on this port of 127.0.0.1 as well.
    pub tcp_port: Option<u16>,
}

/// How PostgreSQL stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends every session first.
    Fast,
    /// As if the machine had crashed.
    Immediate,
}

/// The port in the name of a Unix socket, unless there is one of TCP.
const PORT: u16 = 5432;

/// A running cluster. It stops and disappears when this value or the process goes away.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    pg_ctl: Vec<String>,
    tcp_port: Option<u16>,
    // A shell that waits for the end of its input, which comes when this process ends, for whatever reason.
    keeper: Child,
}

impl Cluster {
    /// Makes and starts a cluster; takes a second or two.
    ///
    /// # Panics
    /// There are no programs, or they fail: the message carries what they said.
    #[must_use]
    pub fn start(options: &ClusterOptions) -> Self {
        let runner = Runner::new();
        let folder = short_folder(&runner);
        Self::start_in(&runner, folder, &[], options)
    }

    /// The same, but what the server says is in German.
    ///
    /// # Errors
    /// Why that cannot be had on this machine: there is no `localedef`, or PostgreSQL came without its translations.
    ///
    /// # Panics
    /// As [`Cluster::start`].
    pub fn speaking_german(options: &ClusterOptions) -> Result<Self, String> {
        let runner = Runner::new();
        let folder = short_folder(&runner);
        let locales = folder.join("locales");
        make_german_locale(&locales)?;
        let mut options = options.clone();
        options.settings.push("lc_messages = 'de_DE.UTF-8'".to_owned());
        let environment = [format!("LOCPATH={}", locales.display())];
        let cluster = Self::start_in(&runner, folder, &environment, &options);
        if cluster.log().contains("starting PostgreSQL") {
            return Err("this PostgreSQL has no German texts".to_owned());
        }
        Ok(cluster)
    }

    fn start_in(runner: &Runner, folder: PathBuf, environment: &[String], options: &ClusterOptions) -> Self {
        let data = folder.join("data");
        run(runner
            .command("initdb")
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data));
        configure(&data, &folder, options);
        for (name, content) in &options.files {
            let path = data.join(name);
            std::fs::write(&path, content).expect("writing a server file");
            make_private(&path);
            runner.hand_over(&path);
        }
        Self::of(runner, folder, options.tcp_port, environment)
    }

    /// A hot standby: a cluster of its own that follows this one and can be read, until it is promoted.
    ///
    /// # Panics
    /// The programs fail: the message carries what they said.
    #[must_use]
    pub fn standby(&self) -> Self {
        let runner = Runner::new();
        let folder = short_folder(&runner);
        let data = folder.join("data");
        run(runner
            .command("pg_basebackup")
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "-U",
                "postgres",
            ])
            .arg("-h")
            .arg(&self.folder)
            .args(["-p", &self.port().to_string(), "-D"])
            .arg(&data));
        let path = data.join("postgresql.auto.conf");
        let mut settings = std::fs::read_to_string(&path).expect("the settings of the other");
        // Behind the lines of the other: the last one of a name counts.
        let of_its_own = [
            sockets_in(&folder),
            "listen_addresses = ''".to_owned(),
            format!("port = {PORT}"),
        ];
        settings.push_str(&of_its_own.join("\n"));
        std::fs::write(path, settings).expect("configuring the standby");
        Self::of(&runner, folder, None, &[])
    }

    /// Starts what lies in a folder.
    fn of(runner: &Runner, folder: PathBuf, tcp_port: Option<u16>, environment: &[String]) -> Self {
        let mut pg_ctl = runner.words("pg_ctl");
        if !environment.is_empty() {
            pg_ctl = [&["env".to_owned()], environment, &pg_ctl].concat();
        }
        let keeper = keep(&pg_ctl, &folder.join("data"), &folder).expect("starting a shell");
        let cluster = Self {
            folder,
            pg_ctl,
            tcp_port,
            keeper,
        };
        cluster.resume();
        cluster
    }

    /// An empty database on this cluster.
    pub async fn fresh_database(&self) -> TestDatabase {
        TestDatabase::create_on(&self.url("postgres"), false).await
    }

    /// The URL of a database, through the Unix socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let socket = self.folder.to_string_lossy().replace('/', "%2F");
        let port = self.tcp_port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("postgresql://postgres@{socket}{port}/{database}")
    }

    /// The URL of a database, through TCP.
    ///
    /// # Panics
    /// The cluster was not asked to listen on TCP.
    #[must_use]
    pub fn tcp_url(&self, database: &str) -> String {
        let port = self.tcp_port.expect("a cluster that listens on TCP");
        format!("postgresql://postgres@127.0.0.1:{port}/{database}")
    }

    /// Everything that the server has logged so far.
    ///
    /// # Panics
    /// The log cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("data/server.log")).expect("the server's log");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Stops the server; [`Cluster::resume`] starts it again with what it had stored.
    ///
    /// # Panics
    /// It does not stop.
    pub fn stop(&self, mode: StopMode) {
        let mode = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        run(self.pg_ctl().args(["stop", "-w", "-m", mode]));
    }

    /// Starts the server after a stop and waits until it answers.
    ///
    /// # Panics
    /// It does not start.
    pub fn resume(&self) {
        let log = self.folder.join("data/server.log");
        run(self.pg_ctl().args(["start", "-w", "-l"]).arg(log));
    }

    /// Makes a standby a server that takes writes, and waits until it does.
    ///
    /// # Panics
    /// It is no standby.
    pub fn promote(&self) {
        run(self.pg_ctl().args(["promote", "-w"]));
    }

    /// The Unix socket that the server listens on.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port()))
    }

    /// The port: of the Unix socket's name, and of 127.0.0.1 if the server listens there.
    pub(crate) fn port(&self) -> u16 {
        self.tcp_port.unwrap_or(PORT)
    }

    fn pg_ctl(&self) -> Command {
        let mut words = self.pg_ctl.iter();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).arg("-D").arg(self.folder.join("data"));
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // What is left then is a temporary folder, if anything.
        let _ = self.keeper.wait();
    }
}

fn configure(data: &Path, socket_folder: &Path, options: &ClusterOptions) {
    let mut settings = vec![
        sockets_in(socket_folder),
        "fsync = off".to_owned(),
        "full_page_writes = off".to_owned(),
        "autovacuum = off".to_owned(),
        "max_connections = 200".to_owned(),
        "timezone = 'Asia/Kathmandu'".to_owned(), // whoever forgets UTC shall see it
    ];
    match options.tcp_port {
        Some(port) => {
            settings.push("listen_addresses = '127.0.0.1'".to_owned());
            settings.push(format!("port = {port}"));
        }
        None => settings.push("listen_addresses = ''".to_owned()),
    }
    settings.extend(options.settings.iter().cloned());
    let mut text = settings.join("\n");
    text.push('\n');
    std::fs::write(data.join("postgresql.auto.conf"), text).expect("configuring the cluster");
}

fn sockets_in(folder: &Path) -> String {
    format!("unix_socket_directories = '{}'", folder.display())
}

/// Makes the locale `de_DE.UTF-8` in a folder, readable for the server.
fn make_german_locale(folder: &Path) -> Result<(), String> {
    std::fs::create_dir(folder).expect("a folder for locales");
    let locale = folder.join("de_DE.UTF-8");
    let made = Command::new("localedef")
        .args(["-i", "de_DE", "-f", "UTF-8"])
        .arg(&locale)
        .output();
    if !locale.exists() {
        return Err(format!("localedef cannot make the locale de_DE.UTF-8: {made:?}"));
    }
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(folder));
    Ok(())
}

/// A new folder that belongs to anyone who runs the programs. Its path is short: socket paths hold about 100 bytes.
fn short_folder(runner: &Runner) -> PathBuf {
    let folder = tempfile::Builder::new().prefix("pg").tempdir();
    let folder = folder.expect("a temporary folder").keep();
    runner.hand_over(&folder);
    folder
}

fn keep(pg_ctl: &[String], data: &Path, folder: &Path) -> io::Result<Child> {
    const SCRIPT: &str = r#"trap '' INT TERM HUP
        folder=$1; shift
        read -r _
        "$@" stop -m immediate >/dev/null 2>&1
        rm -rf "$folder""#;
    Command::new("sh")
        .args(["-c", SCRIPT, "keeper"])
        .arg(folder)
        .args(pg_ctl)
        .arg("-D")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

#[cfg(unix)]
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("setting permissions");
}

#[cfg(not(unix))]
fn make_private(_: &Path) {}

fn run(command: &mut Command) {
    // `pg_ctl start` leaves a server behind that would keep pipes of ours open: its output goes to a file instead.
    let output = tempfile::tempfile().expect("a temporary file");
    let status = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file handle"))
        .stderr(output.try_clone().expect("a file handle"))
        .status()
        .expect("running a PostgreSQL program");
    assert!(
        status.success(),
        "{command:?} failed ({status}): {}",
        read(output)
    );
}

fn read(mut file: std::fs::File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.read_to_string(&mut text);
    text
}
