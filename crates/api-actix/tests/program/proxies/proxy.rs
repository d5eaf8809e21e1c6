//! The proxies: where they are installed, how they are configured and started.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::http_client;

/// Where distributions keep programs for administrators, which is not on everyone's `PATH`.
const ALSO: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];
/// Where they keep Apache's modules.
const APACHE_MODULES: [&str; 4] = [
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/libexec/apache2",
];
/// Those that the configuration needs; some are part of the program.
const WANTED_MODULES: [&str; 11] = [
    "mpm_event",
    "unixd",
    "authz_core",
    "env",
    "setenvif",
    "headers",
    "filter",
    "deflate",
    "proxy",
    "proxy_http",
    "http2",
];
const NGINX: &str = include_str!("../../../../../docs/deploy/proxies/nginx.conf");
const APACHE: &str = include_str!("../../../../../docs/deploy/proxies/apache.conf");
const CADDY: &str = include_str!("../../../../../docs/deploy/proxies/Caddyfile");
const HAPROXY: &str = include_str!("../../../../../docs/deploy/proxies/haproxy.cfg");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Apache,
    Caddy,
    Haproxy,
}

/// A program of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    program: PathBuf,
    version: String,
    /// Of Apache.
    modules: PathBuf,
}

impl Found {
    /// As the program tells it.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

impl Kind {
    /// The program of this proxy, or the reason for which there is none.
    pub(crate) fn find(self) -> Result<Found, String> {
        let (names, argument): (&[_], _) = match self {
            Self::Nginx => (&["nginx"], "-v"),
            Self::Apache => (&["apache2", "httpd"], "-v"),
            Self::Caddy => (&["caddy"], "version"),
            Self::Haproxy => (&["haproxy"], "-v"),
        };
        let program = names.iter().find_map(|name| program(name));
        let program = program.ok_or_else(|| format!("needs {} on PATH", names.join(" or ")))?;
        let output = Command::new(&program).arg(argument).output();
        let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().next().unwrap_or_default();
        let version = match self {
            Self::Caddy => format!("Caddy {line}"),
            _ => line.to_owned(),
        };
        let modules = APACHE_MODULES.map(PathBuf::from);
        let modules = modules
            .into_iter()
            .find(|folder| folder.join("mod_proxy_http.so").is_file());
        if self == Self::Apache && modules.is_none() {
            return Err("needs the modules of Apache, which were not found".to_owned());
        }
        Ok(Found {
            program,
            version,
            modules: modules.unwrap_or_default(),
        })
    }
}

/// A program on `PATH`, or where programs for administrators are.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(ALSO.iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A running proxy. It stops with this value or the process.
pub(crate) struct Proxy {
    port: u16,
    http_2: u16,
    keeper: Child,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// Starts a proxy that leads to `stripped` at `/backend`, without the prefix, and to `kept` elsewhere.
    pub(crate) async fn start(kind: Kind, found: &Found, stripped: &str, kept: &str) -> Self {
        // The shell ends when the proxy does, and ends it when its own input ends, which comes when this process ends,
        // for whatever reason.
        const KEEPER: &str = r#"trap '' INT TERM HUP
            exec 3<&0
            (trap - INT TERM HUP; exec "$@") 3<&- & proxy=$!
            { read -r _ <&3
              kill -TERM $proxy
              for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $proxy || exit; sleep 0.2; done
              kill -KILL $proxy; } 2>&- &
            wait $proxy"#;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = test_postgres::a_free_port();
        // In one version of nginx a port is either for HTTP/2 or for what came before.
        let http_2 = match kind {
            Kind::Nginx => test_postgres::a_free_port(),
            _ => port,
        };
        let ports = Ports { port, http_2 };
        let configuration = match kind {
            Kind::Nginx => nginx(&ports, stripped, kept),
            Kind::Apache => apache(&ports, found, stripped, kept),
            Kind::Caddy => caddy(&ports, stripped, kept),
            Kind::Haproxy => haproxy(&ports, stripped, kept),
        };
        let file = folder.path().join("configuration");
        std::fs::write(&file, configuration).expect("configuring the proxy");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&found.program)
            .args(arguments(kind, folder.path(), &file))
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        let mut proxy = Self {
            port,
            http_2,
            keeper: keeper.expect("starting a shell"),
            folder,
        };
        proxy.is_ready().await;
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port for clients that begin with HTTP/2.
    pub(crate) fn port_of_http_2(&self) -> u16 {
        self.http_2
    }

    /// What the proxy has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Another program may have taken the port meanwhile, and would answer too, but not with the id of this request.
    async fn is_ready(&mut self) {
        let client = http_client();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let id = super::a_request_id();
            let url = format!("http://127.0.0.1:{}/backend/livez", self.port);
            let answer = client.get(url).header("x-request-id", &id).send().await;
            if answer.is_ok_and(|answer| {
                answer
                    .headers()
                    .get("x-request-id")
                    .is_some_and(|back| *back == *id)
            }) {
                return;
            }
            let has_ended = !matches!(self.keeper.try_wait(), Ok(None));
            assert!(!has_ended, "the proxy has ended: {}", self.log());
            assert!(
                Instant::now() < deadline,
                "the proxy does not listen: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

struct Ports {
    port: u16,
    http_2: u16,
}

fn arguments(kind: Kind, folder: &Path, file: &Path) -> Vec<String> {
    let (folder, file) = (folder.display().to_string(), file.display().to_string());
    let words: &[&str] = match kind {
        Kind::Nginx => &["-p", &folder, "-e", "stderr", "-c", &file],
        Kind::Apache => &["-DFOREGROUND", "-d", &folder, "-f", &file],
        Kind::Caddy => &["run", "--adapter", "caddyfile", "--config", &file],
        Kind::Haproxy => &["-db", "-f", &file],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The document with one part in place of another, which must be there.
fn with(document: &str, part: &str, instead: &str) -> String {
    assert!(document.contains(part), "{part} is not in {document}");
    document.replace(part, instead)
}

/// `master_process off`: the program that is started is the one that serves, as the user that it is.
fn nginx(ports: &Ports, stripped: &str, kept: &str) -> String {
    let Ports { port, http_2 } = ports;
    // What many leave as it is: HTTP/1.0 to the server and a new connection for each request.
    let listen = format!(
        "listen 127.0.0.1:{port};
         listen 127.0.0.1:{http_2} http2;
         location / {{
             proxy_pass http://{kept};
             proxy_set_header Host $http_host;
             proxy_set_header Accept-Encoding \"\";
             gzip on;
             gzip_proxied any;
             gzip_types application/json application/problem+json;
         }}"
    );
    let server = with(NGINX, "127.0.0.1:8000", stripped);
    let server = with(&server, "listen 80;", &listen);
    format!(
        "daemon off;
         master_process off;
         pid nginx.pid;
         error_log stderr warn;
         events {{ worker_connections 512; }}
         http {{
             access_log off;
             client_body_temp_path body;
             proxy_temp_path proxy;
             fastcgi_temp_path fastcgi;
             uwsgi_temp_path uwsgi;
             scgi_temp_path scgi;
             {server}
         }}"
    )
}

fn apache(ports: &Ports, found: &Found, stripped: &str, kept: &str) -> String {
    let mut modules = String::new();
    for module in WANTED_MODULES {
        let file = found.modules.join(format!("mod_{module}.so"));
        if file.is_file() {
            let _ = writeln!(modules, "LoadModule {module}_module {}", file.display());
        }
    }
    let ways = with(APACHE, "127.0.0.1:8000", stripped);
    // By number: the user of nobody has other groups elsewhere. They count only for a start as root.
    format!(
        "{modules}
         Listen 127.0.0.1:{}
         ServerName localhost
         User #65534
         Group #65534
         PidFile apache.pid
         ErrorLog /dev/stderr
         Protocols h2c http/1.1
         StartServers 1
         <Location />
             ProxyPass http://{kept}/ nocanon ttl=60 retry=0
             SetEnvIf Accept-Encoding gzip force-gzip
             RequestHeader unset Accept-Encoding
             AddOutputFilterByType DEFLATE application/json application/problem+json
         </Location>
         # Of two locations the later one counts.
         {ways}
         <Location /backend/>
             SetOutputFilter NONE
         </Location>",
        ports.port
    )
}

fn caddy(ports: &Ports, stripped: &str, kept: &str) -> String {
    let site = format!(
        "http://:{} {{
             bind 127.0.0.1
             handle /* {{
                 encode gzip
                 reverse_proxy {kept} {{
                     header_up -Accept-Encoding
                     transport http {{
                         compression off
                     }}
                 }}
             }}",
        ports.port
    );
    let sites = with(CADDY, "127.0.0.1:8000", stripped);
    let sites = with(&sites, ":80 {", &site);
    format!(
        "{{
             admin off
             auto_https off
             grace_period 1s
             servers {{
                 protocols h1 h2 h2c
             }}
         }}
         {sites}"
    )
}

fn haproxy(ports: &Ports, stripped: &str, kept: &str) -> String {
    let bind = format!("bind 127.0.0.1:{}\n    default_backend kept", ports.port);
    let ways = with(HAPROXY, "127.0.0.1:8000", stripped);
    let ways = with(&ways, "bind :80", &bind);
    format!(
        "{ways}
backend kept
    compression algo gzip
    compression type application/json application/problem+json
    compression offload
    server api {kept}
"
    )
}
