//! Tokens and signed links, both under the server's own key.

mod error;
mod key;
mod link;
mod token;

pub use error::Error;
pub use token::Claims;

use std::path::Path;

use crate::domain::{Caller, Id, Moment};

/// What signs and verifies.
pub struct Keys {
    tokens: token::Signer,
    links: link::Signer,
}

/// The token is missing, malformed, expired or signed by somebody else: one answer for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Unauthorized")]
pub struct Unauthorized;

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    /// Reads the signing key of the data folder, or makes it at the first start.
    ///
    /// # Errors
    /// When it cannot be read or written, is open to others, or is weak.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let secret = key::open(data)?;
        Ok(Self { tokens: token::Signer::new(&secret), links: link::Signer::new(&secret) })
    }

    /// Whether the data folder has a signing key, of whatever strength.
    pub fn are_there(data: &Path) -> bool {
        key::path(data).exists()
    }

    /// A bearer token with these claims.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn issue(&self, claims: &Claims) -> Result<String, Error> {
        self.tokens.issue(claims)
    }

    /// Who the bearer of a token is.
    ///
    /// # Errors
    /// `Unauthorized`, whatever is wrong with it.
    pub fn verify(&self, token: &str, now: Moment) -> Result<Caller, Unauthorized> {
        self.tokens.verify(token, now)
    }

    /// The signature of a link to this file that holds until then, in seconds since 1970.
    pub fn sign_link(&self, key: &str, expires: i64) -> String {
        self.links.sign(key, expires)
    }

    /// The part of a file's key that nobody can guess, the same each time for the same export.
    pub fn file_secret(&self, export: Id) -> String {
        /// Characters of six bits: more than 128 bits.
        const LENGTH: usize = 22;
        let mut secret = self.links.sign(&format!("file of {export}"), 0);
        secret.truncate(LENGTH);
        secret
    }

    /// The secret behind what exports of this organisation make unrecognisable: the same for all of
    /// them, so that equal texts stay equal, and for no other organisation.
    pub fn digest_secret(&self, organization: Id) -> [u8; 32] {
        self.links.secret(&format!("digest of {organization}"))
    }

    /// Whether this server signed that link.
    pub fn link_is_genuine(&self, key: &str, expires: i64, signature: &str) -> bool {
        self.links.is_genuine(key, expires, signature)
    }
}

impl Claims {
    /// The claims of a caller who may do everything in an organisation.
    pub fn of_everything(organization: Id, email: &str, from: Moment, days: i64) -> Self {
        Self {
            sub: email.to_owned(),
            email: email.to_owned(),
            name: email.to_owned(),
            org: organization,
            perms: vec!["*".to_owned()],
            hubs: None,
            own: false,
            iat: from.seconds(),
            exp: from.seconds().saturating_add(days.saturating_mul(86_400)),
            jti: crate::kit::secret::random_text(22),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
