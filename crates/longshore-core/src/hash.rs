//! A short hash of content.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha3::{Digest, Sha3_256};

/// Returns a short hash of bytes (the first 15 bytes of SHA3-256 as 20 characters of base64): equal
/// content has an equal hash, on any machine.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha3_256::digest(bytes)[..15])
}
