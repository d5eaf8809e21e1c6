//! Where settings come from, and the kinds of values that they can have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::ConfigError;
use super::dotenv::{self, Dotenv, DotenvOrigin};
use super::error::unusable;
use super::oddity::Oddity;

/// The origin of values of `.env`.
const DOTENV: &str = ".env";

/// The environment over `.env`. Built from maps, so that tests never touch the environment of their process.
#[derive(Clone)]
pub struct Source {
    values: Map<String, Value>,
    /// Where some of them come from, if there is a `.env`.
    dotenv: Option<DotenvOrigin>,
    /// The settings that were asked for so far, each with its default; clones share them.
    asked: Arc<Mutex<BTreeMap<&'static str, Option<String>>>>,
    /// Those of them whose values no one may see; clones share them.
    secrets: Arc<Mutex<BTreeSet<&'static str>>>,
    /// The oddities of the values of those that were asked for so far; clones share it.
    odd: Arc<Mutex<BTreeMap<&'static str, Odd>>>,
}

/// A setting whose value is odd.
#[derive(Clone, Copy)]
struct Odd {
    oddity: Oddity,
    /// Where the value comes from: the variable, or the one of its file.
    place: &'static str,
    is_trimmed: bool,
}

/// The values of one place, which keep its name. Not `config::Environment`, which takes `PORT` and `port` for one.
#[derive(Clone)]
struct Layer {
    origin: String,
    values: HashMap<String, String>,
}

impl Layer {
    fn of(origin: &str, mut values: HashMap<String, String>) -> Self {
        // Names of another form are no one's here, and some would be paths into tables.
        let is_plain = |name: &str| {
            name.chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        values.retain(|name, value| is_plain(name) && !value.trim().is_empty());
        Self {
            origin: origin.to_owned(),
            values,
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secret.
        f.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        // Values stay text: a secret of digits is no number.
        let value = |text: &String| Value::new(Some(&self.origin), text.as_str());
        Ok(self
            .values
            .iter()
            .map(|(name, text)| (name.clone(), value(text)))
            .collect())
    }
}

impl Source {
    /// The environment over the nearest `.env`, if there is one.
    ///
    /// # Errors
    /// There is one that cannot be read, or one in a parent folder that another user could have put there.
    pub fn of_process() -> Result<Self, ConfigError> {
        // Values that are no Unicode belong to another program.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let (values, origin) = match dotenv::nearest()? {
            Some(Dotenv { values, origin }) => (values, Some(origin)),
            None => (HashMap::new(), None),
        };
        Ok(Self {
            dotenv: origin,
            ..Self::of_layers(values, environment.collect())
        })
    }

    /// Values of `.env` under values of the environment.
    #[must_use]
    pub fn of_layers(dotenv: HashMap<String, String>, environment: HashMap<String, String>) -> Self {
        let layers = config::Config::builder()
            .add_source(Layer::of(DOTENV, dotenv))
            .add_source(Layer::of("environment", environment))
            .build();
        Self {
            // Our layers never fail.
            values: layers.unwrap_or_default().cache.into_table().unwrap_or_default(),
            dotenv: None,
            asked: Arc::default(),
            secrets: Arc::default(),
            odd: Arc::default(),
        }
    }

    /// Says in the log which `.env` counts.
    pub(crate) fn log_dotenv(&self) {
        let Some(DotenvOrigin { path, doubt, .. }) = &self.dotenv else {
            return;
        };
        let path = path.display();
        tracing::info!(%path, "settings are read from .env");
        if let Some(doubt) = doubt {
            tracing::warn!(%path, ".env {doubt}");
        }
        for note in self.dotenv_notes() {
            tracing::warn!(%path, "{note}");
        }
    }

    /// Sentences about what in `.env` is probably meant differently, as far as `.env` counts.
    pub(crate) fn dotenv_notes(&self) -> Vec<&str> {
        let notes = self.dotenv.iter().flat_map(|dotenv| &dotenv.notes);
        let counts = |variable| self.found(variable).is_some_and(|(origin, _)| origin == DOTENV);
        notes
            .filter(|note| note.variable.is_none_or(counts))
            .map(|note| note.text.as_str())
            .collect()
    }

    /// The names of all settings that were asked for so far, each with its default as text if it has one.
    #[must_use]
    pub fn asked(&self) -> BTreeMap<&'static str, Option<String>> {
        self.lock_asked().clone()
    }

    /// All names that someone has set, ours and others'.
    pub(crate) fn given(&self) -> BTreeSet<&str> {
        self.values.keys().map(String::as_str).collect()
    }

    /// Where a value was given (`environment`, `.env`), and the value exactly as it was given; `None` if no one has set
    /// it.
    pub(crate) fn found(&self, variable: &str) -> Option<(&str, &str)> {
        let value = self.values.get(variable)?;
        match &value.kind {
            ValueKind::String(text) => Some((value.origin()?, text)),
            _ => None,
        }
    }

    /// Sets a value, which counts before all others.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        let origin = "argument".to_owned();
        let value = Value::new(Some(&origin), value);
        self.values.insert(variable.to_owned(), value);
    }

    /// Forgets a value. Answers whether there was one.
    pub(crate) fn forget(&mut self, variable: &str) -> bool {
        self.values.remove(variable).is_some()
    }

    fn lock_asked(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_default(&self, variable: &'static str, default: String) {
        self.lock_asked().insert(variable, Some(default));
    }

    /// A value exactly as it was given; `None` if it is blank.
    fn value(&self, variable: &'static str) -> Option<String> {
        self.lock_asked().entry(variable).or_default();
        self.found(variable).map(|(_, value)| value.to_owned())
    }

    /// Whether the setting was asked for as a secret.
    pub(crate) fn is_secret(&self, variable: &str) -> bool {
        self.lock_secrets().contains(variable)
    }

    fn lock_secrets(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A secret, from its variable or from its file.
    ///
    /// # Errors
    /// As [`Source::value_or_file`].
    pub(crate) fn secret(
        &self,
        variable: &'static str,
        file_variable: &'static str,
    ) -> Result<Option<String>, ConfigError> {
        self.lock_secrets().insert(variable);
        self.value_or_file(variable, file_variable)
    }

    /// A value that is secret at most in parts, as a URL with a password is; from its variable or from its file. The
    /// line break at the end of a file does not count.
    ///
    /// # Errors
    /// Both are set, or the file cannot be read or is blank.
    pub(crate) fn value_or_file(
        &self,
        variable: &'static str,
        file_variable: &'static str,
    ) -> Result<Option<String>, ConfigError> {
        let (value, file) = (self.value(variable), self.text(file_variable));
        let Some(file) = file else {
            self.note_oddity(variable, variable, value.as_deref(), false);
            return Ok(value);
        };
        if value.is_some() {
            let reason = format!("is set, and so is {variable}: keep one of them");
            return Err(ConfigError::new(file_variable, reason));
        }
        let text = value_of_file(file_variable, Path::new(&file))?;
        self.note_oddity(variable, file_variable, Some(&text), false);
        Ok(Some(text))
    }

    pub(crate) fn text(&self, variable: &'static str) -> Option<String> {
        let value = self.value(variable)?;
        self.note_oddity(variable, variable, Some(&value), true);
        Some(value.trim().to_owned())
    }

    fn lock_odd(&self) -> MutexGuard<'_, BTreeMap<&'static str, Odd>> {
        self.odd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_oddity(
        &self,
        variable: &'static str,
        place: &'static str,
        value: Option<&str>,
        is_trimmed: bool,
    ) {
        if let Some(oddity) = value.and_then(Oddity::of) {
            let odd = Odd {
                oddity,
                place,
                is_trimmed,
            };
            self.lock_odd().insert(variable, odd);
        }
    }

    /// The settings that were asked for so far whose values are probably not what was meant, each with a sentence.
    pub(crate) fn odd(&self) -> Vec<(&'static str, String)> {
        let odd = self.lock_odd();
        odd.iter()
            .map(|(variable, odd)| (*variable, odd.oddity.sentence(odd.place, odd.is_trimmed)))
            .collect()
    }

    /// Reads settings; an error says so if the value is in quotation marks.
    pub(crate) fn reading<T>(&self, read: impl FnOnce() -> Result<T, ConfigError>) -> Result<T, ConfigError> {
        read().map_err(|error| {
            let odd = self.lock_odd().get(error.variable()).copied();
            match odd {
                Some(odd) if odd.oddity == Oddity::Quoted => error.of_quoted(),
                _ => error,
            }
        })
    }

    pub(crate) fn text_or(&self, variable: &'static str, default: &str) -> String {
        self.remember_default(variable, default.to_owned());
        self.text(variable).unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn number<N>(
        &self,
        variable: &'static str,
        default: N,
        range: RangeInclusive<N>,
    ) -> Result<N, ConfigError>
    where
        N: FromStr + PartialOrd + Display,
    {
        self.remember_default(variable, default.to_string());
        let Some(text) = self.text(variable) else {
            return Ok(default);
        };
        let (min, max) = range.into_inner();
        match text.parse() {
            Ok(number) if number >= min && number <= max => Ok(number),
            _ => Err(ConfigError::new(
                variable,
                format!("must be a whole number from {min} to {max}"),
            )),
        }
    }

    pub(crate) fn flag(&self, variable: &'static str, default: bool) -> Result<bool, ConfigError> {
        self.remember_default(variable, default.to_string());
        match self.text(variable).as_deref() {
            None => Ok(default),
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some("false" | "0" | "no" | "off") => Ok(false),
            Some(_) => Err(ConfigError::new(variable, "must be true or false")),
        }
    }

    pub(super) fn duration(&self, variable: &'static str) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = self.text(variable) else {
            return Ok(None);
        };
        let invalid = || ConfigError::new(variable, DURATION_RULE);
        let duration = parse_duration(&text).ok_or_else(invalid)?;
        if duration.is_zero() {
            Err(invalid())
        } else {
            Ok(Some(duration))
        }
    }

    pub(super) fn duration_or(
        &self,
        variable: &'static str,
        default: Duration,
    ) -> Result<Duration, ConfigError> {
        self.remember_default(variable, humantime::format_duration(default).to_string());
        Ok(self.duration(variable)?.unwrap_or(default))
    }

    /// A duration of that range, of whole seconds by default.
    pub(super) fn duration_in(
        &self,
        variable: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        self.remember_default(variable, format!("{}s", default.as_secs()));
        let Some(text) = self.text(variable) else {
            return Ok(default);
        };
        let duration = parse_duration(&text).filter(|duration| range.contains(duration));
        duration.ok_or_else(|| {
            let [min, max] = [range.start(), range.end()].map(|limit| humantime::format_duration(*limit));
            let reason = format!(
                "must be a duration from {min} to {max}, such as {}s or 10m",
                default.as_secs()
            );
            ConfigError::new(variable, reason)
        })
    }

    /// A duration that may be nothing.
    pub(super) fn delay(&self, variable: &'static str, default: Duration) -> Result<Duration, ConfigError> {
        self.remember_default(variable, humantime::format_duration(default).to_string());
        let Some(text) = self.text(variable) else {
            return Ok(default);
        };
        let invalid = || ConfigError::new(variable, "must be a duration such as 300ms, 10s or 15m");
        parse_duration(&text).ok_or_else(invalid)
    }

    /// A number of bytes, at least so many.
    pub(crate) fn size(
        &self,
        variable: &'static str,
        default: usize,
        min: usize,
    ) -> Result<usize, ConfigError> {
        self.remember_default(variable, size_text(default));
        let Some(text) = self.text(variable) else {
            return Ok(default);
        };
        parse_size(&text).filter(|size| *size >= min).ok_or_else(|| {
            let reason = format!("must be a size such as 64MiB, at least {}", size_text(min));
            ConfigError::new(variable, reason)
        })
    }

    pub(crate) fn list<T, E: Display>(
        &self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(text) = self.text(variable) else {
            return Ok(Vec::new());
        };
        text.split(',')
            .map(|item| parse(item.trim()).map_err(|error| unusable(variable, error)))
            .collect()
    }
}

/// The form of a duration, as the end of a sentence.
const DURATION_RULE: &str = "must be a duration such as 300ms, 10s or 15m, longer than nothing";

/// The content of a file, without the line break at its end; the variable names it.
///
/// # Errors
/// The file cannot be read or is blank.
pub(super) fn value_of_file(variable: &'static str, file: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| ConfigError::new(variable, format!("names a file that cannot be read: {error}")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(ConfigError::new(variable, "names a file that is blank"));
    }
    Ok(text.to_owned())
}

/// `300ms`, `10s`, `15m`; a bare number means seconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

/// The units of sizes, the largest first. Powers of 1,024 with the names of IEC 80000-13, and as many people write
/// them.
const SIZE_UNITS: [(&str, u32); 7] = [
    ("GiB", 30),
    ("G", 30),
    ("MiB", 20),
    ("M", 20),
    ("KiB", 10),
    ("K", 10),
    ("B", 0),
];

/// `64MiB`, `512 KiB`, `1G`; a bare number means bytes.
fn parse_size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text.strip_prefix(digits)?.trim_start();
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, bits) = SIZE_UNITS
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    digits.parse::<usize>().ok()?.checked_mul(1 << bits)
}

fn size_text(bytes: usize) -> String {
    let (name, bits) = SIZE_UNITS
        .into_iter()
        .find(|(name, bits)| name.len() == 3 && bytes.is_multiple_of(1 << bits))
        .unwrap_or(("B", 0));
    format!("{}{name}", bytes >> bits)
}

#[cfg(test)]
impl Source {
    /// These values of the environment, and no `.env`.
    pub(crate) fn of_environment(values: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self::of_layers(HashMap::new(), values.iter().map(owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_digits_stays_the_text_that_it_is() {
        let secret = ("BETTER_AUTH_SECRET", "00123456789012345678901234567890");
        let read = Source::of_environment(&[secret]).secret(secret.0, "BETTER_AUTH_SECRET_FILE");
        assert_eq!(read, Ok(Some(secret.1.to_owned())));
    }

    #[test]
    fn the_environment_counts_before_the_file() {
        let map = |value: &str| HashMap::from([("PORT".to_owned(), value.to_owned())]);
        let source = Source::of_layers(map("1"), map("2"));
        assert_eq!(source.number("PORT", 0, 0..=9), Ok(2));
        let source = Source::of_layers(map("1"), map(""));
        assert_eq!(source.number("PORT", 0, 0..=9), Ok(1));
    }

    #[test]
    fn durations_have_units_and_a_bare_number_means_seconds() {
        assert_eq!(parse_duration("300ms"), Some(Duration::from_millis(300)));
        assert_eq!(parse_duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(parse_duration("15m"), Some(Duration::from_secs(900)));
        assert_eq!(parse_duration("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse_duration("-7"), None);
    }

    #[test]
    fn sizes_have_units_and_a_bare_number_means_bytes() {
        for (text, wanted) in [
            ("1048576", Some(1 << 20)),
            ("64MiB", Some(64 << 20)),
            ("64 mib", Some(64 << 20)),
            ("64M", Some(64 << 20)),
            ("512KiB", Some(512 << 10)),
            ("2G", Some(2 << 30)),
            ("7B", Some(7)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5MiB", None),
            ("64MB", None),
            ("99999999999999999999", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(parse_size(text), wanted, "{text:?}");
        }
        for size in [1, 1 << 20, 64 << 20, 3 << 30, 5 << 10] {
            assert_eq!(parse_size(&size_text(size)), Some(size));
        }
    }

    #[test]
    fn a_size_that_is_too_small_is_refused() {
        let source = Source::of_environment(&[("MAX_UNSENT", "1023KiB")]);
        let error = source.size("MAX_UNSENT", 64 << 20, 1 << 20).unwrap_err();
        let wanted = "MAX_UNSENT must be a size such as 64MiB, at least 1MiB";
        assert_eq!(error.to_string(), wanted);
        let source = Source::of_environment(&[("MAX_UNSENT", "1MiB")]);
        assert_eq!(source.size("MAX_UNSENT", 64 << 20, 1 << 20), Ok(1 << 20));
    }

    #[test]
    fn what_is_odd_about_a_value_is_told_once_wherever_it_comes_from() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret \r\n").unwrap();
        let source = Source::of_environment(&[
            ("HOST", "\"127.0.0.1\""),
            ("LOG_LEVEL", "info "),
            ("KEY", "secret\n"),
            ("OTHER_KEY_FILE", file.path().to_str().unwrap()),
            ("PORT", "1"),
            ("OF_OTHERS", "'x'"),
        ]);
        for _ in 0..2 {
            source.text("HOST");
            source.text("LOG_LEVEL");
            source.text("PORT");
            source.secret("KEY", "KEY_FILE").unwrap();
            source.secret("OTHER_KEY", "OTHER_KEY_FILE").unwrap();
        }
        let wanted = [
            "HOST is in quotation marks, and they are a part of the value: remove them if they are not meant",
            "KEY has white space or a line break at an end, which is a part of the value: remove it if it is not meant",
            "LOG_LEVEL has white space or a line break at an end, which is ignored",
            "what the file of OTHER_KEY_FILE contains has white space or a line break at an end, which is a part of \
             the value: remove it if it is not meant",
        ];
        let told: Vec<_> = source.odd().into_iter().map(|(_, sentence)| sentence).collect();
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_name_in_other_letters_is_another_name() {
        let source = Source::of_environment(&[("PORT", "1"), ("port", "2"), ("Port", "3")]);
        assert_eq!(source.number("PORT", 0, 0..=9), Ok(1));
    }
}
