//! A network whose connections fall silent: both ends stay open, nothing is carried any more, and no one is told. New
//! connections work. So it is behind a firewall that has forgotten them, or when a host has gone without a word.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running network in front of a server. It ends with this value, and so do its connections.
#[derive(Debug)]
pub struct Network {
    /// Where it listens.
    pub address: SocketAddr,
    silences: watch::Sender<u64>,
    _listening: JoinSet<()>,
}

impl Network {
    /// Starts one in front of the Unix socket of a server.
    ///
    /// # Errors
    /// There is no port left.
    pub async fn before(server: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (silences, heard) = watch::channel(0);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // What came before it does not concern it.
                let mut silences = heard.clone();
                silences.mark_unchanged();
                connections.spawn(carry(client, server.clone(), silences));
            }
        });
        Ok(Self {
            address,
            silences,
            _listening: listening,
        })
    }

    /// From now on the connections that there are carry nothing.
    pub fn fall_silent(&self) {
        self.silences.send_modify(|silences| *silences += 1);
    }
}

async fn carry(mut client: TcpStream, server: PathBuf, mut silences: watch::Receiver<u64>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = UnixStream::connect(server).await?;
    tokio::select! {
        biased;
        // An error is the end of the network.
        silent = silences.changed() => if silent.is_ok() {
            // Both ends stay open.
            std::future::pending::<()>().await;
        },
        carried = copy_bidirectional(&mut client, &mut server) => { carried?; }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_fell_silent_stays_open_and_a_new_one_works() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let network = Network::before(path).await.unwrap();
        let mut old = TcpStream::connect(network.address).await.unwrap();
        assert!(echoes(&mut old).await);
        network.fall_silent();
        assert!(!echoes(&mut old).await);
        let mut new = TcpStream::connect(network.address).await.unwrap();
        assert!(echoes(&mut new).await);
    }

    /// Whether what is said comes back. The end of the connection fails the test.
    async fn echoes(stream: &mut TcpStream) -> bool {
        stream.write_all(b"x").await.unwrap();
        let mut byte = [0];
        match timeout(Duration::from_millis(300), stream.read_exact(&mut byte)).await {
            Ok(read) => read.map(|_| true).unwrap(),
            Err(_) => false,
        }
    }
}
