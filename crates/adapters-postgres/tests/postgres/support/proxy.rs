//! A TCP proxy in front of a server, with moods.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Forwarding,
    Silent,
    HangingUp,
}

/// A way to a server that leads through us.
pub(crate) struct Detour {
    url: String,
    _tasks: JoinSet<()>,
}

impl Detour {
    /// To the server of that URL; each connection is handed over together with the way on.
    pub(crate) async fn to<F>(
        server: &str,
        carry: impl Fn(TcpStream, Config) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let config = Config::from_str(server).expect("a URL");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!(
            "postgresql://{}@127.0.0.1:{port}/{}",
            config.get_user().expect("a user"),
            config.get_dbname().expect("a database")
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, config.clone()));
            }
        });
        Self { url, _tasks: tasks }
    }

    /// The URL that leads through us.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Forwards connections until it falls silent or hangs up; those made after that are forwarded again.
pub(crate) struct Proxy {
    detour: Detour,
    mood: watch::Sender<Mood>,
}

impl Proxy {
    /// In front of the server of that URL.
    pub(crate) async fn before(server: &str) -> Self {
        let (mood, moods) = watch::channel(Mood::Forwarding);
        let forward = move |client, config| forward(client, config, moods.clone());
        Self {
            detour: Detour::to(server, forward).await,
            mood,
        }
    }

    /// The URL that leads through the proxy.
    pub(crate) fn url(&self) -> &str {
        self.detour.url()
    }

    /// Connections stay open and never hear anything again, as if the other machine had lost its power.
    pub(crate) fn fall_silent(&self) {
        self.mood.send_replace(Mood::Silent);
    }

    /// Connections hear that the server is gone and are closed, as poolers do.
    pub(crate) fn hang_up(&self) {
        self.mood.send_replace(Mood::HangingUp);
    }

    pub(crate) fn forward_again(&self) {
        self.mood.send_replace(Mood::Forwarding);
    }
}

async fn forward(mut client: TcpStream, config: Config, mut moods: watch::Receiver<Mood>) {
    let forwarding = async {
        let mut server = connect(&config).await;
        // It ends when one of the two hangs up.
        let _ = copy_bidirectional(&mut client, &mut server).await;
        Mood::Forwarding
    };
    let mood_changes = async {
        let mood = moods.wait_for(|mood| *mood != Mood::Forwarding).await;
        mood.map_or(Mood::Forwarding, |mood| *mood)
    };
    let mood = tokio::select! {
        biased;
        mood = mood_changes => mood,
        mood = forwarding => mood,
    };
    match mood {
        Mood::Forwarding => {}
        Mood::Silent => std::future::pending().await,
        Mood::HangingUp => {
            let _ = client
                .write_all(&fatal("08P01", "server connection closed"))
                .await;
        }
    }
}

/// The message with which PgBouncer ends a connection.
pub(crate) fn fatal(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0C{code}\0M{text}\0\0");
    let length = u32::try_from(fields.len() + 4).expect("a length");
    [b"E", length.to_be_bytes().as_slice(), fields.as_bytes()].concat()
}

pub(crate) async fn connect(config: &Config) -> Box<dyn Stream> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts().first().expect("a host") {
        Host::Tcp(name) => Box::new(TcpStream::connect((name.as_str(), port)).await.expect("a server")),
        Host::Unix(folder) => {
            let socket = folder.join(format!(".s.PGSQL.{port}"));
            Box::new(UnixStream::connect(socket).await.expect("a server"))
        }
    }
}
