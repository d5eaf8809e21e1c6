//! Ports for servers of tests.

use std::net::TcpListener;

/// A TCP port of the loopback address that no one listens on, for a server that comes later. Another process may take
/// it before that.
///
/// # Panics
/// There is no port left.
#[must_use]
pub fn a_free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
