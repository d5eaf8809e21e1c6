//! A JSON Web Key Set (RFC 7517 5), read entry by entry.

use std::collections::{BTreeMap, HashMap};

use domain::identity::RefusalReason;
use serde_json::value::RawValue;

use crate::algorithm::Algorithm;
use crate::fields::Fields;
use crate::header::is_sound_key_id;
use crate::keys::{PublicKey, UnusableKey};

/// The usable keys of a document. Better Auth gives each key an id of its own; keys without one, and several with
/// one id, are possible elsewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySet {
    with_id: HashMap<String, Vec<PublicKey>>,
    without_id: Vec<PublicKey>,
}

impl KeySet {
    /// How many keys with one id count; each costs a signature to check.
    const MAX_PER_ID: usize = 4;

    /// Reads a document. `None` if it is no key set at all; an entry that we cannot use is passed over.
    pub(crate) fn parse(document: &[u8]) -> Option<Self> {
        // Not derived: that would also read an array.
        let document: BTreeMap<String, &RawValue> = serde_json::from_slice(document).ok()?;
        let entries: Vec<&RawValue> = serde_json::from_str(document.get("keys")?.get()).ok()?;
        let mut set = Self::default();
        for (place, entry) in entries.into_iter().enumerate() {
            if let Err(reason) = set.add(entry.get()) {
                tracing::debug!(place, %reason, "an entry of the key set is passed over");
            }
        }
        Some(set)
    }

    fn add(&mut self, entry: &str) -> Result<(), UnusableKey> {
        let fields: Vec<_> = PublicKey::FIELDS.into_iter().chain(["kid"]).collect();
        let jwk = Fields::read(entry.as_bytes(), &fields).ok_or(UnusableKey::Form)?;
        let key = PublicKey::from_jwk(&jwk)?;
        let Some(id) = jwk.get("kid") else {
            self.without_id.push(key);
            return Ok(());
        };
        let id = id.as_str().filter(|id| is_sound_key_id(id));
        let keys = self
            .with_id
            .entry(id.ok_or(UnusableKey::Form)?.to_owned())
            .or_default();
        if keys.len() < Self::MAX_PER_ID && !keys.contains(&key) {
            keys.push(key);
        }
        Ok(())
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.all().count()
    }

    /// The keys with that id.
    pub(crate) fn with_id(&self, id: &str) -> &[PublicKey] {
        self.with_id.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether every key of an older set is still here, under the same id.
    pub(crate) fn keeps_all_of(&self, older: &Self) -> bool {
        let keeps =
            |id: &String, keys: &Vec<PublicKey>| keys.iter().all(|key| self.with_id(id).contains(key));
        older.with_id.iter().all(|(id, keys)| keeps(id, keys)) && self.without_id == older.without_id
    }

    /// Whether one of the keys that the token may mean has signed `message` with that algorithm.
    ///
    /// Without an id a token means the only key that there is for its algorithm.
    pub(crate) fn check(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &str,
        signature: &str,
    ) -> Result<(), RefusalReason> {
        let Some(id) = id else {
            let mut fitting = self.all().filter(|key| key.is_for(algorithm));
            return match (fitting.next(), fitting.next()) {
                (Some(key), None) if key.verifies(algorithm, message, signature) => Ok(()),
                (Some(_), None) => Err(RefusalReason::BadSignature),
                _ => Err(RefusalReason::UnknownKey),
            };
        };
        let keys = self.with_id(id);
        if keys.iter().any(|key| key.verifies(algorithm, message, signature)) {
            Ok(())
        } else if keys.iter().any(|key| key.is_for(algorithm)) {
            Err(RefusalReason::BadSignature)
        } else {
            Err(RefusalReason::AlgorithmNotAllowed)
        }
    }

    fn all(&self) -> impl Iterator<Item = &PublicKey> {
        self.with_id.values().flatten().chain(&self.without_id)
    }
}
