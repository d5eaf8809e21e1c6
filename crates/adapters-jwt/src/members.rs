//! JSON objects, read so that there is one way to understand them.

use std::collections::BTreeMap;
use std::fmt;

use domain::identity::{Refusal, RefusalReason};
use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The members of a JSON object that somebody asked for. A member that is `null` is there; only one that is not
/// written is absent.
pub(crate) struct Members(BTreeMap<String, Value>);

impl Members {
    /// Reads the named members and passes over all others.
    ///
    /// Refuses whatever is not one JSON object in UTF-8 and nothing else, a named member that is repeated (RFC 7515 4
    /// and RFC 7519 4: readers disagree about which one counts), and a named member that no `Value` can hold: a number
    /// beyond `f64`, nesting beyond 128 levels.
    pub(crate) fn read(json: &[u8], names: &[&str]) -> Result<Self, Refusal> {
        // The error of the parser quotes what it read, so it goes no further.
        Self::parse(json, names).ok_or(Refusal::new(RefusalReason::Malformed))
    }

    fn parse(json: &[u8], names: &[&str]) -> Option<Self> {
        let text = str::from_utf8(json).ok()?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // A derived struct would also be read from an array; this is not.
        let members = deserializer.deserialize_map(Wanted(names)).ok()?;
        deserializer.end().ok()?;
        Some(members)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }
}

struct Wanted<'n>(&'n [&'n str]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if !self.0.contains(&name.as_str()) {
                map.next_value::<IgnoredAny>()?;
            } else if members.insert(name, map.next_value()?).is_some() {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(Members(members))
    }
}
