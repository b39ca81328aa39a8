//! Bearer tokens (contract 1): JWT, HS256 under the server's own key.

use std::collections::HashSet;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use super::{Error, Unauthorized};
use crate::domain::{Caller, Id, Moment};

/// What a token says (contract 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// User id.
    pub sub: String,
    /// E-mail address.
    pub email: String,
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// Organisation.
    pub org: Id,
    /// Names of permissions; `*` for all.
    #[serde(default)]
    pub perms: Vec<String>,
    /// The hubs that the bearer is bound to; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hubs: Option<Vec<Id>>,
    /// Whether only tasks assigned to the bearer may be seen.
    #[serde(default)]
    pub own: bool,
    /// Issued at, in seconds since 1970.
    #[serde(default)]
    pub iat: i64,
    /// Expires at, in seconds since 1970.
    pub exp: i64,
    /// The token's own id.
    #[serde(default)]
    pub jti: String,
}

/// The times of a token besides `exp`, which this program's own tokens do not have.
#[derive(Deserialize)]
struct NotBefore {
    nbf: Option<i64>,
    #[serde(flatten)]
    claims: Claims,
}

/// Signs and verifies with one algorithm and one key; what a token's header names is not trusted.
pub(super) struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Signer {
    pub(super) fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The times are compared below, with the clock that everything else goes by.
        validation.validate_exp = false;
        validation.required_spec_claims = HashSet::from(["exp".to_owned(), "sub".to_owned()]);
        let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { encoding, decoding, validation }
    }

    pub(super) fn issue(&self, claims: &Claims) -> Result<String, Error> {
        Ok(encode(&Header::new(Algorithm::HS256), claims, &self.encoding)?)
    }

    pub(super) fn verify(&self, token: &str, now: Moment) -> Result<Caller, Unauthorized> {
        // A critical extension would have to be understood, and none is (RFC 7515, 4.1.11); a key's
        // name would have to be known, and the one key has none.
        if decode_header(token).is_ok_and(|header| header.crit.is_some() || header.kid.is_some()) {
            return Err(Unauthorized);
        }
        let token = decode::<NotBefore>(token, &self.decoding, &self.validation).map_err(|_| Unauthorized)?;
        let NotBefore { nbf, claims } = token.claims;
        let now = now.seconds();
        if claims.exp <= now || nbf.is_some_and(|from| now < from) || claims.sub.is_empty() {
            return Err(Unauthorized);
        }
        Ok(Caller {
            user: claims.sub,
            email: claims.email,
            name: claims.name,
            organization: claims.org,
            permissions: claims.perms,
            hubs: claims.hubs,
            own: claims.own,
        })
    }
}
