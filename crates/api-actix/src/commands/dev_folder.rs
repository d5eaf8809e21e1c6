//! The folder of `task-api dev`, with the secret that `task-api token` signs with.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use adapters_jwt::SharedSecret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt;
use secrecy::SecretString;

const SECRET_BYTES: usize = 32;

/// The folder where `dev` keeps the database and the secret.
pub(crate) struct DevFolder(PathBuf);

impl DevFolder {
    /// The folder below the working directory.
    pub(crate) fn here() -> Self {
        Self(PathBuf::from(".task-api"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it unless it is there.
    pub(crate) fn make(&self) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        // The secret is no one else's business, and the tasks are not part of anyone's program.
        match private().create_new(true).open(self.0.join(".gitignore")) {
            Ok(mut file) => file.write_all(b"*\n"),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The secret that an earlier `dev` has made, if there is one.
    pub(crate) fn secret(&self) -> Option<SharedSecret> {
        let text = fs::read_to_string(self.secret_file()).ok()?;
        SharedSecret::new(SecretString::from(text.trim().to_owned())).ok()
    }

    /// That one, or else a new one.
    pub(crate) fn secret_or_new(&self) -> io::Result<SharedSecret> {
        if let Some(secret) = self.secret() {
            return Ok(secret);
        }
        self.make()?;
        let text = URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; SECRET_BYTES]>());
        write_private(&self.secret_file(), &text)?;
        SharedSecret::new(SecretString::from(text)).map_err(io::Error::other)
    }

    fn secret_file(&self) -> PathBuf {
        self.0.join("secret")
    }

    /// Where the tasks are.
    pub(crate) fn database_file(&self) -> PathBuf {
        self.0.join("tasks.db")
    }
}

/// Writes a file that only its owner may read.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut file = private().create(true).truncate(true).open(file)?;
    file.write_all(text.as_bytes())
}

/// How to make such a file.
fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}
