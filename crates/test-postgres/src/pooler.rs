//! PgBouncer in front of a throwaway cluster.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::programs::Runner;
use crate::{Cluster, a_free_port};

/// A running PgBouncer in transaction mode, of four connections to the server. It stops with this value or the process.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    keeper: Child,
    folder: TempDir,
}

impl PgBouncer {
    /// The version of the PgBouncer on this machine, as (major, minor): the program that `PGBOUNCER` names, or the one
    /// on `PATH`. `None` if there is none.
    #[must_use]
    pub fn version() -> Option<(u32, u32)> {
        let output = Command::new(program()).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = text.lines().next()?.strip_prefix("PgBouncer ")?.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// Starts one before a cluster and waits until it listens.
    ///
    /// # Panics
    /// It does not start: the message carries what it said.
    #[must_use]
    pub fn before(cluster: &Cluster) -> Self {
        // The shell ends when PgBouncer does, and ends it when its own input ends, which comes when this process ends,
        // for whatever reason.
        const KEEPER: &str = r#"trap '' INT TERM HUP
            exec 3<&0
            "$@" & pooler=$!
            { read -r _ <&3; kill -9 $pooler; } &
            wait $pooler"#;
        let runner = Runner::new();
        let folder = tempfile::tempdir().expect("a temporary folder");
        runner.hand_over(folder.path());
        let port = a_free_port();
        let socket = cluster.socket();
        let settings = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n\
             logfile = {}\n",
            socket.parent().expect("a folder").display(),
            cluster.port(),
            folder.path().join("log").display(),
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, settings).expect("configuring PgBouncer");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args(runner.words_of(&program()))
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut pooler = Self {
            port,
            keeper: keeper.expect("starting a shell"),
            folder,
        };
        pooler.wait_until_it_listens();
        pooler
    }

    /// The URL of a database of the cluster, through PgBouncer.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Asks the log, not the port: another process may have taken that meanwhile, and would answer too.
    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let has_ended = !matches!(self.keeper.try_wait(), Ok(None));
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            if log.contains("process up") {
                return;
            }
            assert!(!has_ended, "PgBouncer has ended: {log}");
            assert!(Instant::now() < deadline, "PgBouncer does not listen: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn program() -> String {
    std::env::var_os("PGBOUNCER").map_or_else(
        || "pgbouncer".to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}
