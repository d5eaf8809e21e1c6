//! A network between the server and its database, with moods.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// The behaviour of the network at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    /// Carries everything at once.
    Forwarding,
    /// Carries everything later by this time, in each direction.
    Delaying(Duration),
    /// Tells the server later, by this time, that the database has closed a connection.
    ClosingLate(Duration),
    /// Carries nothing, loses nothing: it all goes on afterwards.
    Standing,
    /// Half-open: connections of this mood never hear anything again, and are not told, not even afterwards.
    Silent,
    /// Whatever the database says is lost, and the connection with it: its work is never reported.
    Swallowing,
    /// Connections are cut, and new ones are refused.
    Refusing,
}

/// Carries connections to a Unix socket, in the mood of the moment.
pub(crate) struct Proxy {
    port: u16,
    mood: watch::Sender<Mood>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (mood, moods) = watch::channel(Mood::Forwarding);
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, port, socket, moods));
        Self {
            port,
            mood,
            _tasks: tasks,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

async fn listen(mut listener: TcpListener, port: u16, socket: PathBuf, mut moods: watch::Receiver<Mood>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.expect("a connection");
                connections.spawn(carry(client, socket.clone(), moods.clone()));
            }
            _ = until(&mut moods, |mood| mood == Mood::Refusing) => {
                drop(listener);
                until(&mut moods, |mood| mood != Mood::Refusing).await;
                listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the same port");
            }
        }
    }
}

/// Waits for a mood, and returns it.
async fn until(moods: &mut watch::Receiver<Mood>, is_so: impl Fn(Mood) -> bool) -> Mood {
    let mood = moods.wait_for(|mood| is_so(*mood)).await.map(|mood| *mood);
    match mood {
        Ok(mood) => mood,
        // The proxy is gone, and its tasks are about to be.
        Err(_) => std::future::pending().await,
    }
}

async fn carry(mut client: TcpStream, socket: PathBuf, moods: watch::Receiver<Mood>) {
    let _ = client.set_nodelay(true);
    let mut changes = moods.clone();
    let mut mood = changes.clone();
    let carrying = async {
        until(&mut mood, |mood| mood != Mood::Standing).await;
        let Ok(mut server) = UnixStream::connect(socket).await else {
            return;
        };
        let (client_says, client_hears) = client.split();
        let (server_says, server_hears) = server.split();
        tokio::select! {
            () = pump(client_says, server_hears, moods.clone(), |_| false) => {}
            () = pump(server_says, client_hears, moods, |mood| mood == Mood::Swallowing) => {
                let mood = *mood.borrow();
                if let Mood::ClosingLate(delay) = mood {
                    sleep(delay).await;
                }
            }
        }
    };
    tokio::pin!(carrying);
    tokio::select! {
        biased;
        mood = until(&mut changes, |mood| matches!(mood, Mood::Silent | Mood::Refusing)) => {
            if mood == Mood::Silent {
                // Both ends stay open as long as the proxy lives.
                std::future::pending::<()>().await;
            }
        }
        () = &mut carrying => {}
    }
}

/// Carries bytes in one direction until there are no more, or the reader is gone, or they are swallowed.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut moods: watch::Receiver<Mood>,
    swallows: fn(Mood) -> bool,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let mood = moods.clone();
    let reading = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let mood = *mood.borrow();
            if swallows(mood) {
                break;
            }
            let delay = match mood {
                Mood::Delaying(delay) => delay,
                _ => Duration::ZERO,
            };
            let part = (Instant::now() + delay, buffer[..count].to_vec());
            if sender.send(part).await.is_err() {
                break;
            }
        }
    };
    let writing = async {
        while let Some((due, part)) = receiver.recv().await {
            sleep_until(due).await;
            until(&mut moods, |mood| mood != Mood::Standing).await;
            if to.write_all(&part).await.is_err() {
                break;
            }
        }
    };
    // What was read before the end is still written.
    let reading = async {
        reading.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
}
