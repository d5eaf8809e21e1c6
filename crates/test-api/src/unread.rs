//! Clients that ask and do not read.

use std::io::Write;
use std::net::TcpStream;

use tokio::net::TcpSocket;

use crate::api::Api;

/// A connection on which the user asks for so many pages and reads nothing, as little as possible of it into the
/// buffers of the operating system.
pub async fn unread(api: &Api, user: &str, pages: usize, lines: &str) -> TcpStream {
    let address = api.url().strip_prefix("http://").expect("an HTTP address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let stream = socket.connect(address.parse().expect("an address")).await;
    let mut stream = stream
        .and_then(tokio::net::TcpStream::into_std)
        .expect("a connection");
    let token = api.tokens().good(user);
    let head = "GET /api/tasks?limit=500 HTTP/1.1\r\nHost: api\r\n";
    let request = format!("{head}Authorization: Bearer {token}\r\n{lines}\r\n");
    // The server may stop reading, and the stream does not block.
    let _ = stream.write(request.repeat(pages).as_bytes());
    stream
}

/// Several connections of this user, each of which asks for ten pages with these lines in the head and reads nothing.
pub async fn unread_by(user: &str, api: &Api, connections: usize, lines: &str) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(unread(api, user, 10, lines).await);
    }
    streams
}
