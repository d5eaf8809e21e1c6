//! A pooler that refuses start-up options, as PgBouncer does by default and Neon's does.
//!
//! It pools nothing: every connection of a client is one to the server, so that what still runs there can be counted.
//! Requests to cancel a statement go on to the server, as they do through PgBouncer.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

/// The first words of a client (PostgreSQL, 55.7): a protocol version, or a code that none has.
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSSAPI: u32 = 80_877_104;
/// The largest start-up message that PostgreSQL takes.
const MAX_MESSAGE: usize = 10_000;

/// A running pooler. It ends with this value.
#[derive(Debug)]
pub struct Pooler {
    /// Where it listens.
    pub address: SocketAddr,
    _listening: JoinSet<()>,
}

impl Pooler {
    /// Starts one in front of the Unix socket of a server.
    ///
    /// # Errors
    /// There is no port left.
    pub async fn before(server: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, server.clone()));
            }
        });
        Ok(Self {
            address,
            _listening: listening,
        })
    }
}

/// An error is the end of the connection, and tells no one more.
async fn carry(mut client: TcpStream, server: PathBuf) -> io::Result<()> {
    client.set_nodelay(true)?;
    loop {
        let message = read_message(&mut client).await?;
        match Answer::to(&message) {
            Answer::NotEncrypted => client.write_all(b"N").await?,
            Answer::Refuse => return client.write_all(&refusal()).await,
            Answer::Carry => {
                let mut server = UnixStream::connect(server).await?;
                server.write_all(&message).await?;
                copy_bidirectional(&mut client, &mut server).await?;
                return Ok(());
            }
        }
    }
}

/// A start-up message, its length included.
async fn read_message(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = client.read_u32().await?.to_be_bytes().to_vec();
    let length = message.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if !(8..=MAX_MESSAGE).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    message.resize(length, 0);
    client
        .read_exact(message.get_mut(4..).unwrap_or_default())
        .await?;
    Ok(message)
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// There is no encryption here; the client may go on without.
    NotEncrypted,
    /// It names `options`.
    Refuse,
    /// The server answers.
    Carry,
}

impl Answer {
    fn to(message: &[u8]) -> Self {
        let code = message
            .get(4..8)
            .map(|code| code.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
        match code {
            Some(TLS | GSSAPI) => Self::NotEncrypted,
            Some(CANCEL) | None => Self::Carry,
            Some(_) => {
                let mut texts = message.get(8..).unwrap_or_default().split(|byte| *byte == 0);
                while let (Some(name), Some(_)) = (texts.next(), texts.next()) {
                    if name == b"options" {
                        return Self::Refuse;
                    }
                }
                Self::Carry
            }
        }
    }
}

/// The text of PgBouncer before it closes.
fn refusal() -> Vec<u8> {
    let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
    let length = u32::try_from(fields.len() + 4).unwrap_or(0);
    [b"E".as_slice(), &length.to_be_bytes(), fields].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use test_postgres::{Cluster, ClusterOptions};
    use tokio_postgres::NoTls;

    use super::*;

    fn startup(parameters: &[u8]) -> Vec<u8> {
        let length = u32::try_from(parameters.len() + 8).unwrap();
        [&length.to_be_bytes(), &196_608_u32.to_be_bytes(), parameters].concat()
    }

    #[test]
    fn only_a_start_up_that_names_options_is_refused() {
        let with = startup(b"user\0u\0options\0-c statement_timeout=1s\0\0");
        assert_eq!(Answer::to(&with), Answer::Refuse);
        // A user may be called so.
        assert_eq!(Answer::to(&startup(b"user\0options\0\0")), Answer::Carry);
        let cancel = [16_u32, CANCEL, 1, 2].map(u32::to_be_bytes).concat();
        assert_eq!(Answer::to(&cancel), Answer::Carry);
        for asked in [TLS, GSSAPI] {
            let message = [8, asked].map(u32::to_be_bytes).concat();
            assert_eq!(Answer::to(&message), Answer::NotEncrypted);
        }
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL"]
    async fn a_client_without_options_works_through_it_and_can_cancel() {
        let cluster = Cluster::start(&ClusterOptions::default());
        let pooler = Pooler::before(cluster.socket()).await.unwrap();
        let url = format!("postgresql://postgres@{}/postgres", pooler.address);
        let refused = tokio_postgres::connect(&format!("{url}?options=-c%20jit%3Doff"), NoTls).await;
        let refused = refused.err().unwrap();
        let refused = refused.as_db_error().unwrap();
        assert_eq!(refused.message(), "unsupported startup parameter: options");

        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let cancelling = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            client.cancel_token().cancel_query(NoTls).await.unwrap();
        };
        let (slept, ()) = tokio::join!(client.batch_execute("SELECT pg_sleep(60)"), cancelling);
        assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
        client.batch_execute("SELECT 1").await.unwrap();
    }
}
