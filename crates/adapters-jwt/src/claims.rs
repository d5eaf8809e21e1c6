//! Step 4: the claims (RFC 7519 4), of a token whose signature is right.

use chrono::{DateTime, Utc};
use domain::identity::{Caller, Owner, Refusal, RefusalReason};
use serde_json::Value;

use crate::fields::Fields;
use crate::settings::{Leeway, Party, Scope, UserIdClaims, VerifierSettings};

const ID_HINT: &str = "add user_id with definePayload or keep sub";

/// The content of a token that was accepted once, and when it may be accepted again.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) caller: Caller,
    /// The beginning of time, if the token does not say.
    pub(crate) not_before: DateTime<Utc>,
}

impl Verified {
    /// Whether the times of the token are right. Everything else does not change.
    pub(crate) fn is_valid_at(&self, now: DateTime<Utc>, leeway: Leeway) -> bool {
        self.not_before <= now_plus_leeway(now, leeway) && !self.has_expired(now, leeway)
    }

    /// A token is expired in the very moment that `exp` names (RFC 7519 4.1.4).
    fn has_expired(&self, now: DateTime<Utc>, leeway: Leeway) -> bool {
        self.caller.expires_at
            <= now
                .checked_sub_signed(leeway.as_delta())
                .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

fn now_plus_leeway(now: DateTime<Utc>, leeway: Leeway) -> DateTime<Utc> {
    now.checked_add_signed(leeway.as_delta())
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Whom a token must come from and be meant for; an empty list is not checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parties<'s> {
    pub(crate) issuers: &'s [Party],
    pub(crate) audiences: &'s [Party],
}

/// Rules for access tokens beyond those of every token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccessRules<'s> {
    pub(crate) scope: &'s Scope,
}

/// Decides who is asking. [`RefusalReason::Expired`] means that everything else is right.
pub(crate) fn validate(
    json: &[u8],
    settings: &VerifierSettings,
    parties: Parties<'_>,
    access: Option<AccessRules<'_>>,
    now: DateTime<Utc>,
) -> Result<Verified, Refusal> {
    let claims = Claims::read(json, &settings.user_id_claims)?;
    let expires_at = claims.expiry()?;
    let not_before = claims.not_before(now_plus_leeway(now, settings.leeway))?;
    claims.check_issuer(parties.issuers)?;
    claims.check_audience(parties.audiences)?;
    claims.check_bearer()?;
    if let Some(rules) = access {
        claims.check_scope(rules.scope)?;
        claims.check_user()?;
    }
    let owner = claims.owner(&settings.user_id_claims)?;
    let verified = Verified {
        caller: Caller {
            owner,
            expires_at,
            issuer: claims.0.text("iss").map(str::to_owned),
        },
        not_before,
    };
    // Last on purpose: "expired" tells a client to fetch a fresh token, which must not hide another fault.
    if verified.has_expired(now, settings.leeway) {
        return Err(Refusal::new(RefusalReason::Expired));
    }
    Ok(verified)
}

/// The claims that we look at. `iat` is none of them: it says nothing about validity.
struct Claims<'n>(Fields<'n>);

impl<'n> Claims<'n> {
    /// `id` is read for a hint only.
    const REGISTERED: [&'static str; 10] = [
        "aud",
        "azp",
        "client_id",
        "cnf",
        "exp",
        "id",
        "iss",
        "nbf",
        "scope",
        "sub",
    ];

    fn read(json: &[u8], user_id_claims: &'n UserIdClaims) -> Result<Self, Refusal> {
        let names: Vec<&'n str> = Self::REGISTERED
            .into_iter()
            .chain(
                user_id_claims
                    .iter()
                    .filter(|name| !Self::REGISTERED.contains(name)),
            )
            .collect();
        Fields::read(json, &names)
            .map(Self)
            .ok_or(Refusal::new(RefusalReason::Malformed))
    }

    fn expiry(&self) -> Result<DateTime<Utc>, Refusal> {
        self.0
            .get("exp")
            .and_then(numeric_date)
            .ok_or(Refusal::new(RefusalReason::NoExpiry))
    }

    fn not_before(&self, latest: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
        let Some(value) = self.0.get("nbf") else {
            return Ok(DateTime::<Utc>::MIN_UTC);
        };
        match numeric_date(value) {
            None => Err(Refusal::new(RefusalReason::Malformed)),
            Some(begin) if begin > latest => Err(Refusal::new(RefusalReason::NotYetValid)),
            Some(begin) => Ok(begin),
        }
    }

    fn check_issuer(&self, wanted: &[Party]) -> Result<(), Refusal> {
        if wanted.is_empty() || self.0.get("iss").is_some_and(|iss| names_one_of(iss, wanted)) {
            return Ok(());
        }
        Err(wrong_party(RefusalReason::BadIssuer, wanted))
    }

    /// `aud` is a text or a list of texts; one of them must be us (RFC 7519 4.1.3).
    fn check_audience(&self, wanted: &[Party]) -> Result<(), Refusal> {
        let is_for_us = match self.0.get("aud") {
            _ if wanted.is_empty() => true,
            Some(Value::Array(names)) => {
                names.iter().all(Value::is_string) && names.iter().any(|name| names_one_of(name, wanted))
            }
            Some(name) => names_one_of(name, wanted),
            None => false,
        };
        if is_for_us {
            return Ok(());
        }
        Err(wrong_party(RefusalReason::BadAudience, wanted))
    }

    /// `cnf` (RFC 7800) binds a token to a key that its holder must prove to have. We cannot ask for that proof, so
    /// the token is not ours to accept.
    fn check_bearer(&self) -> Result<(), Refusal> {
        if self.0.has("cnf") {
            return Err(Refusal::new(RefusalReason::BadType));
        }
        Ok(())
    }

    fn check_scope(&self, wanted: &Scope) -> Result<(), Refusal> {
        if self.0.text("scope").is_some_and(|scopes| wanted.is_in(scopes)) {
            return Ok(());
        }
        Err(Refusal {
            wanted: Some(wanted.as_str().to_owned()),
            ..Refusal::new(RefusalReason::MissingScope)
        })
    }

    /// A client that acts for itself is the subject of its tokens (RFC 9068 2.2). Better Auth names the client in
    /// `azp`. A token that names no client does not say that it is one of a user.
    fn check_user(&self) -> Result<(), Refusal> {
        let clients = [self.0.text("client_id"), self.0.text("azp")];
        let subject = self.0.text("sub");
        let is_of_user = subject.is_some_and(|subject| {
            clients.iter().any(Option::is_some) && clients.iter().flatten().all(|client| *client != subject)
        });
        if is_of_user {
            return Ok(());
        }
        Err(Refusal::new(RefusalReason::NoUser))
    }

    fn owner(&self, names: &UserIdClaims) -> Result<Owner, Refusal> {
        let Some(value) = names.iter().find_map(|name| self.0.get(name)) else {
            let refusal = Refusal::new(RefusalReason::NoUserId);
            return Err(if self.0.has("id") {
                refusal.with_hint(ID_HINT)
            } else {
                refusal
            });
        };
        value
            .as_str()
            .and_then(|text| Owner::parse(text).ok())
            .ok_or(Refusal::new(RefusalReason::BadUserId))
    }
}

fn names_one_of(claim: &Value, wanted: &[Party]) -> bool {
    claim
        .as_str()
        .is_some_and(|name| wanted.iter().any(|party| party.is_named_by(name)))
}

fn wrong_party(reason: RefusalReason, wanted: &[Party]) -> Refusal {
    let names: Vec<&str> = wanted.iter().map(Party::as_str).collect();
    Refusal {
        wanted: Some(names.join(", ")),
        ..Refusal::new(reason)
    }
}

/// A time as JSON writes it: seconds since 1970, fractions allowed (`NumericDate`, RFC 7519 2), to the nearest
/// microsecond. What no calendar can hold becomes the first or the last time that ours can.
fn numeric_date(value: &Value) -> Option<DateTime<Utc>> {
    let micros = (value.as_f64()? * 1e6).round();
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and so do we")]
    let micros = micros as i64;
    let limit = if micros.is_negative() {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    Some(DateTime::from_timestamp_micros(micros).unwrap_or(limit))
}
