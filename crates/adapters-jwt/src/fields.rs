//! JSON objects, read so that there is one way to understand them.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The fields of a JSON object that someone asked for. A field that is `null` is there; only one that is not
/// written is absent.
pub(crate) struct Fields<'n>(Vec<(&'n str, Value)>);

impl<'n> Fields<'n> {
    /// Reads the named fields and passes over all others.
    ///
    /// `None` for whatever is not one JSON object in UTF-8 and nothing else, a named field that is repeated (RFC 7515 4
    /// and RFC 7519 4: readers disagree about which one counts), and a named field that no `Value` can hold: a number
    /// beyond `f64`, nesting beyond 128 levels.
    pub(crate) fn read(json: &[u8], names: &[&'n str]) -> Option<Self> {
        // The error of the parser quotes what it read, so it goes no further.
        let text = str::from_utf8(json).ok()?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // A derived struct would also be read from an array; this is not.
        let fields = deserializer.deserialize_map(Wanted(names)).ok()?;
        deserializer.end().ok()?;
        Some(fields)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let field = self.0.iter().find(|(field, _)| *field == name);
        field.map(|(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }
}

struct Wanted<'a, 'n>(&'a [&'n str]);

impl<'de, 'n> Visitor<'de> for Wanted<'_, 'n> {
    type Value = Fields<'n>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields(Vec::with_capacity(self.0.len()));
        while let Some(name) = map.next_key_seed(WantedName(self.0))? {
            match name {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(name) if fields.has(name) => return Err(A::Error::custom("a repeated field")),
                Some(name) => fields.0.push((name, map.next_value()?)),
            }
        }
        Ok(fields)
    }
}

/// Reads the name of a field without keeping it; `None` for one that no one asked for.
struct WantedName<'a, 'n>(&'a [&'n str]);

impl<'de, 'n> DeserializeSeed<'de> for WantedName<'_, 'n> {
    type Value = Option<&'n str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for WantedName<'_, 'n> {
    type Value = Option<&'n str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|name| *name == text))
    }
}
