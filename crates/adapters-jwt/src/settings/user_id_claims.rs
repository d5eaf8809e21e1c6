use super::InvalidSetting;

/// The claims that may hold the user id, in order. The first one that is present in a token decides, right or wrong.
///
/// By default `user_id`, then `sub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserIdClaims(Vec<String>);

impl UserIdClaims {
    /// Claims that never name a user to us.
    ///
    /// The first three appear in other things that Better Auth signs with the same secret: the link of an e-mail
    /// verification carries `email` and `userId`, so a verifier that took them would log in anyone who holds the mail.
    /// The rest are registered (RFC 7519 4.1, RFC 7800): an issuer or an audience is one value for all users.
    const NEVER: [&str; 10] = [
        "id", "userId", "email", "iss", "aud", "exp", "nbf", "iat", "jti", "cnf",
    ];

    /// Reads the names of the claims, taken as they are.
    ///
    /// # Errors
    /// [`InvalidSetting::NoUserIdClaim`] for an empty list, [`InvalidSetting::BlankUserIdClaim`],
    /// [`InvalidSetting::RepeatedUserIdClaim`], and [`InvalidSetting::UnsafeUserIdClaim`] for `id`, `userId`, `email`
    /// and the registered claims other than `sub`.
    pub fn parse<I>(names: I) -> Result<Self, InvalidSetting>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut claims: Vec<String> = Vec::new();
        for name in names.into_iter().map(Into::into) {
            if name.trim().is_empty() {
                return Err(InvalidSetting::BlankUserIdClaim);
            }
            if let Some(name) = Self::NEVER.into_iter().find(|never| *never == name) {
                return Err(InvalidSetting::UnsafeUserIdClaim { name });
            }
            if claims.contains(&name) {
                return Err(InvalidSetting::RepeatedUserIdClaim);
            }
            claims.push(name);
        }
        if claims.is_empty() {
            return Err(InvalidSetting::NoUserIdClaim);
        }
        Ok(Self(claims))
    }

    /// The names, in order; at least one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Default for UserIdClaims {
    fn default() -> Self {
        Self(vec!["user_id".to_owned(), "sub".to_owned()])
    }
}
