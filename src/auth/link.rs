//! Links that need no token: the key of a file, the end of its time, and a signature over both.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs with a key of its own that is derived from the server's, so that no link is a token.
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(super) fn new(secret: &[u8]) -> Self {
        let derived = keyed(secret).chain_update(b"waybill link 1").finalize().into_bytes();
        Self(keyed(&derived))
    }

    pub(super) fn sign(&self, key: &str, expires: i64) -> String {
        URL_SAFE_NO_PAD.encode(self.over(key, expires).finalize().into_bytes())
    }

    /// A secret of this name, which is never told.
    pub(super) fn secret(&self, name: &str) -> [u8; 32] {
        self.over(name, 0).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    pub(super) fn is_genuine(&self, key: &str, expires: i64, signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| self.over(key, expires).verify_slice(&signature).is_ok())
    }

    /// A file's key has no line feed, so that the two parts cannot run into each other.
    fn over(&self, key: &str, expires: i64) -> Hmac<Sha256> {
        self.0.clone().chain_update(key).chain_update(b"\n").chain_update(expires.to_be_bytes())
    }
}

#[allow(clippy::expect_used)]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of any length")
}
