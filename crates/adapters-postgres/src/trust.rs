//! Which certificates a server may prove itself with, and the one that we show to it: libpq's `sslrootcert`, `sslmode`,
//! `sslcert` and `sslkey` (PostgreSQL manual, 34.19).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use thiserror::Error as ThisError;

/// The files that an address may name, or the environment for every address that names none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// `sslrootcert`, a file of certificates in PEM that are trusted instead of the public ones and the machine's; or
    /// `system` for those.
    pub root_certificates: Option<PathBuf>,
    /// `sslcert`, the certificate that proves who we are, in PEM, with those in between up to its authority.
    pub certificate: Option<PathBuf>,
    /// `sslkey`, its private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted).
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// The value of `sslrootcert` that stands for the public certificates and the machine's.
    const SYSTEM: &str = "system";

    pub(crate) fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        // A pair comes from one place.
        let (certificate, key) = if self.certificate.is_some() || self.key.is_some() {
            (self.certificate, self.key)
        } else {
            (defaults.certificate, defaults.key)
        };
        Self {
            root_certificates: self.root_certificates.or(defaults.root_certificates),
            certificate,
            key,
        }
    }
}

/// Why a file of [`TlsFiles`] cannot be used. Names the parameter of the address, never what the file holds.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{parameter} {reason}")]
pub struct TlsFileError {
    parameter: &'static str,
    reason: String,
}

impl TlsFileError {
    fn new(parameter: &'static str, reason: impl Into<String>) -> Self {
        Self {
            parameter,
            reason: reason.into(),
        }
    }
}

/// How the two sides of a TLS connection prove themselves.
#[derive(Clone, Default)]
pub(crate) struct Trust {
    /// The certificates that are trusted instead of the public ones and the machine's.
    authorities: Option<Authorities>,
    proof: Option<Arc<CertifiedKey>>,
    names: Names,
}

/// Which names a certificate must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Names {
    /// `verify-full`: that of the host, always.
    Always,
    /// `require` and nothing: that of the host, unless the certificate itself is a trusted one.
    #[default]
    OfStrangers,
    /// `verify-ca`: any.
    Never,
}

#[derive(Clone)]
struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    store: RootCertStore,
}

impl Trust {
    /// Reads the files.
    pub(crate) fn read(files: &TlsFiles, names: Names) -> Result<Self, TlsFileError> {
        let authorities = match files.root_certificates.as_deref() {
            Some(path) if path != Path::new(TlsFiles::SYSTEM) => Some(Authorities::read(path)?),
            _ => None,
        };
        let proof = match (files.certificate.as_deref(), files.key.as_deref()) {
            (Some(certificate), Some(key)) => Some(Arc::new(read_pair(certificate, key)?)),
            (Some(_), None) => {
                return Err(TlsFileError::new(
                    "sslcert",
                    "is given without sslkey, its private key",
                ));
            }
            (None, Some(_)) => {
                return Err(TlsFileError::new(
                    "sslkey",
                    "is given without sslcert, its certificate",
                ));
            }
            (None, None) => None,
        };
        Ok(Self {
            authorities,
            proof,
            names,
        })
    }

    /// The driver's TLS configuration, given the public certificates and those of the machine.
    pub(crate) fn client_config(&self, system: impl FnOnce() -> RootCertStore) -> ClientConfig {
        let (roots, trusted) = match &self.authorities {
            Some(own) => (own.store.clone(), own.certificates.clone()),
            None => (system(), Vec::new()),
        };
        let builder = ClientConfig::builder();
        let is_special = self.names == Names::Never || !trusted.is_empty();
        // Without any root there is no verifier to wrap, and every certificate is refused.
        let inner = is_special
            .then(|| {
                let provider = Arc::clone(builder.crypto_provider());
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), provider)
                    .build()
                    .ok()
            })
            .flatten();
        let builder = match inner {
            Some(inner) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Verifier {
                    inner,
                    trusted,
                    names: self.names,
                })),
            None => builder.with_root_certificates(roots),
        };
        match &self.proof {
            Some(proof) => {
                let proof = SingleCertAndKey::from(Arc::clone(proof));
                builder.with_client_cert_resolver(Arc::new(proof) as Arc<dyn ResolvesClientCert>)
            }
            None => builder.with_no_client_auth(),
        }
    }
}

impl Authorities {
    fn read(path: &Path) -> Result<Self, TlsFileError> {
        let certificates = read_certificates("sslrootcert", path)?;
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            let reason = |error| {
                TlsFileError::new(
                    "sslrootcert",
                    format!("holds a certificate that cannot be used: {error}"),
                )
            };
            store.add(certificate.clone()).map_err(reason)?;
        }
        Ok(Self { certificates, store })
    }
}

fn read_certificates(
    parameter: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(TlsFileError::new(
            parameter,
            "names a file without a certificate in PEM",
        )),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unreadable(parameter, &error)),
    }
}

fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsFileError> {
    let certificates = read_certificates("sslcert", certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => TlsFileError::new(
            "sslkey",
            "names a file without a private key in PEM (an encrypted one cannot be read)",
        ),
        error => unreadable("sslkey", &error),
    })?;
    let builder = ClientConfig::builder();
    CertifiedKey::from_der(certificates, key, builder.crypto_provider()).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            TlsFileError::new("sslkey", "is not the private key of the certificate of sslcert")
        }
        // It tells the kind of key that is not supported.
        error => TlsFileError::new("sslkey", format!("cannot be used: {error}")),
    })
}

fn unreadable(parameter: &'static str, error: &rustls::pki_types::pem::Error) -> TlsFileError {
    let reason = match error {
        rustls::pki_types::pem::Error::Io(error) => format!("names a file that cannot be read: {error}"),
        // The details may quote the file.
        _ => "names a file that is no PEM".to_owned(),
    };
    TlsFileError::new(parameter, reason)
}

/// The verifier of rustls, but that it takes a certificate that is itself a trusted one, and names as [`Names`] has it.
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
    names: Names,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_trusted_itself = self
            .trusted
            .iter()
            .any(|trusted| trusted.as_ref() == end_entity.as_ref());
        let needs_name = match self.names {
            Names::Always => true,
            Names::OfStrangers => !is_trusted_itself,
            Names::Never => false,
        };
        let verified =
            self.inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(Error::InvalidCertificate(fault)) = &verified else {
            return verified;
        };
        // Names are compared last, when all else is as it should be.
        let is_about_names = matches!(
            fault,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        );
        if is_about_names && !needs_name {
            return Ok(ServerCertVerified::assertion());
        }
        if is_trusted_itself && is_about_authorities(fault) {
            if needs_name {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// `openssl req -x509`, as the manual of PostgreSQL has it, makes a certificate of an authority, which may not stand
/// for a server (RFC 5280, 4.2.1.9). The dates are compared before that.
fn is_about_authorities(fault: &CertificateError) -> bool {
    let CertificateError::Other(other) = fault else {
        return false;
    };
    other
        .0
        .downcast_ref()
        .is_some_and(|error| matches!(error, webpki::Error::CaUsedAsEndEntity))
}
