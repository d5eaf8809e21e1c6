//! How the server is reached: encrypted or in plain text over TCP, or through a Unix socket. Over each of them errors
//! have their SQLSTATE in front of their texts ([`crate::sqlstate`]).

use std::convert::Infallible;
use std::future::{Ready, ready};
#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(unix)]
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{CancelToken, Client, Config, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connect_error::ConnectError;
use crate::health::{Health, watch};
use crate::sqlstate::Coded;

/// How the server is reached.
#[derive(Clone)]
pub(crate) enum Transport {
    /// Over TCP, with TLS.
    Tls(WithCodes<MakeRustlsConnect>),
    /// Over TCP, in plain text.
    Plain,
    /// Through a socket in a folder, `.s.PGSQL.` and the port.
    #[cfg(unix)]
    Socket(PathBuf),
}

impl Transport {
    /// With TLS.
    pub(crate) fn tls(connector: MakeRustlsConnect) -> Self {
        Self::Tls(WithCodes(connector))
    }

    /// In plain text: the ways to the hosts of a configuration, in the order in which they are tried, sockets first.
    /// The configuration is made to fit.
    pub(crate) fn plain(config: &mut Config) -> Vec<Self> {
        // The driver shows its stream only to what it takes for TLS. So plain text is a TLS that does nothing, and that
        // no one negotiates.
        config
            .ssl_mode(SslMode::Require)
            .ssl_negotiation(SslNegotiation::Direct);
        // The driver asks a TLS for the name of the host.
        if config.get_hosts().is_empty() {
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        let mut ways = Vec::new();
        #[cfg(unix)]
        for (index, host) in config.get_hosts().iter().enumerate() {
            if let Host::Unix(folder) = host {
                let ports = config.get_ports();
                let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
                ways.push(Self::Socket(folder.join(format!(".s.PGSQL.{port}"))));
            }
        }
        if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_))) {
            ways.push(Self::Plain);
        }
        ways
    }

    /// Establishes a connection, which a task of its own runs until it ends.
    pub(crate) async fn open(&self, config: &Config) -> Result<(Client, Arc<Health>), ConnectError> {
        match self {
            Self::Tls(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, watch(connection)))
            }
            Self::Plain => {
                let (client, connection) = config.connect(PlainText).await?;
                Ok((client, watch(connection)))
            }
            #[cfg(unix)]
            Self::Socket(path) => {
                let stream = open_socket(path, config).await.map_err(ConnectError::Socket)?;
                let (client, connection) = config.connect_raw(stream, PlainText).await?;
                let opened = (client, watch(connection));
                check_role(&opened.0, config).await?;
                Ok(opened)
            }
        }
    }

    /// Asks the server to stop what it does on a connection.
    pub(crate) async fn cancel(&self, token: CancelToken) -> Result<(), ConnectError> {
        match self {
            Self::Tls(tls) => token.cancel_query(tls.clone()).await?,
            Self::Plain => token.cancel_query(PlainText).await?,
            #[cfg(unix)]
            Self::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(ConnectError::Socket)?;
                token.cancel_query_raw(stream, PlainText).await?;
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
async fn open_socket(path: &Path, config: &Config) -> io::Result<UnixStream> {
    let opening = UnixStream::connect(path);
    match config.get_connect_timeout() {
        Some(limit) => timeout(*limit, opening).await?,
        None => opening.await,
    }
}

/// `target_session_attrs`, which the driver looks at over TCP only.
#[cfg(unix)]
async fn check_role(client: &Client, config: &Config) -> Result<(), ConnectError> {
    let (refused, reason) = match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => ("on", "database does not allow writes"),
        TargetSessionAttrs::ReadOnly => ("off", "database is not read only"),
        _ => return Ok(()),
    };
    let messages = client.simple_query("SHOW transaction_read_only").await?;
    let is_refused = messages
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(refused)));
    if is_refused {
        let error = io::Error::new(io::ErrorKind::PermissionDenied, reason);
        return Err(ConnectError::Socket(error));
    }
    Ok(())
}

/// A TLS whose stream has the codes of errors.
#[derive(Clone)]
pub(crate) struct WithCodes<T>(T);

impl<S, T: MakeTlsConnect<S>> MakeTlsConnect<S> for WithCodes<T>
where
    T::TlsConnect: Send + 'static,
    <T::TlsConnect as TlsConnect<S>>::Future: Send + 'static,
{
    type Stream = Coded<T::Stream>;
    type TlsConnect = WithCodes<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, Self::Error> {
        self.0.make_tls_connect(domain).map(WithCodes)
    }
}

impl<S, T: TlsConnect<S>> TlsConnect<S> for WithCodes<T>
where
    T::Future: Send + 'static,
{
    type Stream = Coded<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let connecting = self.0.connect(stream);
        Box::pin(async { Ok(Coded::new(connecting.await?, TlsStream::channel_binding)) })
    }
}

/// A TLS that does nothing, but that its stream has the codes of errors.
#[derive(Debug, Clone, Copy)]
struct PlainText;

impl MakeTlsConnect<Socket> for PlainText {
    type Stream = Coded<Socket>;
    type TlsConnect = Self;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for PlainText {
    type Stream = Coded<S>;
    type Error = Infallible;
    type Future = Ready<Result<Coded<S>, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(Coded::new(stream, |_| ChannelBinding::none())))
    }
}
