//! Whom this process trusts when it connects to others.

use std::sync::LazyLock;

use rustls::{ClientConfig, RootCertStore};

/// The public authorities and the machine's own (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), which are read once, by the
/// first caller.
pub(crate) fn authorities() -> RootCertStore {
    static AUTHORITIES: LazyLock<RootCertStore> = LazyLock::new(|| {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "some of the machine's root certificates could not be read");
        }
        roots.add_parsable_certificates(native.certs);
        roots
    });
    AUTHORITIES.clone()
}

/// Verifies certificates against [`authorities`].
pub(crate) fn client_config() -> ClientConfig {
    ClientConfig::builder()
        .with_root_certificates(authorities())
        .with_no_client_auth()
}
