//! Links that need no token: the key of a file, the end of its time, and a signature over both.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::kit::secret::{is_keyed_digest, keyed_digest};

/// Signs with a key of its own that is derived from the server's, so that no link is a token.
pub(super) struct Signer([u8; 32]);

impl Signer {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(keyed_digest(secret, &[b"waybill link 1"]))
    }

    /// A file's key has no line feed, so that the two parts cannot run into each other.
    pub(super) fn sign(&self, key: &str, expires: i64) -> String {
        URL_SAFE_NO_PAD.encode(keyed_digest(&self.0, &[key.as_bytes(), b"\n", &expires.to_be_bytes()]))
    }

    /// A secret of this name, which is never told.
    pub(super) fn secret(&self, name: &str) -> [u8; 32] {
        keyed_digest(&self.0, &[name.as_bytes(), b"\n", &0_i64.to_be_bytes()])
    }

    /// Compares in constant time.
    pub(super) fn is_genuine(&self, key: &str, expires: i64, signature: &str) -> bool {
        let parts: [&[u8]; 3] = [key.as_bytes(), b"\n", &expires.to_be_bytes()];
        let signature = URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| is_keyed_digest(&signature, &self.0, &parts))
    }
}
