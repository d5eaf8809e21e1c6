//! A front end that publishes its keys, over HTTP and over HTTPS, and signs tokens with them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use api_actix::clock_and_ids::SystemClock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::clock::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SigningKey,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// A key pair of Better Auth's default kind.
pub(crate) struct Key {
    id: &'static str,
    pair: KeyPair,
}

impl Key {
    pub(crate) fn new(id: &'static str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).expect("a key pair");
        Self { id, pair }
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key_raw());
        json!({ "alg": "EdDSA", "crv": "Ed25519", "x": x, "kty": "OKP", "kid": self.id })
    }

    /// A token of 15 minutes for that user, as Better Auth makes it with a `definePayload`, and with these claims more.
    pub(crate) fn token(&self, user: &str, more: &Value) -> String {
        let now = SystemClock.now().timestamp();
        let mut claims = json!({ "iat": now, "user_id": user, "sub": user, "exp": now + 900 });
        let fields = claims.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let header = json!({ "alg": "EdDSA", "kid": self.id });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.pair.sign(message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The same with an issuer and an audience.
    pub(crate) fn token_from(&self, origin: &str, user: &str) -> String {
        self.token(user, &json!({ "iss": origin, "aud": origin }))
    }
}

/// An authority for certificates that no machine knows, and a certificate of it for `localhost`.
pub(crate) struct Authority {
    pub(crate) pem: String,
    server: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("an authority").pem();

        let issuer = Issuer::new(params, key);
        let params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Self {
            pem,
            server: Arc::new(server.expect("a certificate")),
        }
    }
}

/// A running key server. It ends with the value.
pub(crate) struct KeyServer {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    document: Mutex<String>,
    requests: Mutex<Vec<String>>,
    is_stopping: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

impl KeyServer {
    pub(crate) fn with(keys: &[&Key]) -> Self {
        Self::on_port(0, keys)
    }

    pub(crate) fn on_port(port: u16, keys: &[&Key]) -> Self {
        Self::start(port, Shared::default(), keys)
    }

    /// The same over TLS.
    pub(crate) fn with_tls(authority: &Authority, keys: &[&Key]) -> Self {
        let shared = Shared {
            tls: Some(Arc::clone(&authority.server)),
            ..Shared::default()
        };
        Self::start(0, shared, keys)
    }

    fn start(port: u16, shared: Shared, keys: &[&Key]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(shared);
        let server = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if server.is_stopping.load(Ordering::Relaxed) {
                    return;
                }
                server.answer(stream.expect("a connection"));
            }
        });
        let server = Self {
            port,
            shared,
            thread: Some(thread),
        };
        server.publish(keys);
        server
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        let document = json!({ "keys": keys }).to_string();
        *self.shared.document.lock().expect("the document") = document;
    }

    pub(crate) fn origin(&self) -> String {
        let scheme = if self.shared.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://localhost:{}", self.port)
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().expect("the requests").clone()
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        // Wakes the thread up.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn answer(&self, stream: TcpStream) {
        match &self.tls {
            None => self.speak(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).expect("a connection");
                self.speak(StreamOwned::new(connection, stream));
            }
        }
    }

    /// A client that hangs up has seen enough.
    fn speak(&self, mut stream: impl Read + Write) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).expect("a head of text");
        self.requests.lock().expect("the requests").push(head);
        let body = self.document.lock().expect("the document").clone();
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let _ = stream.flush();
    }
}
