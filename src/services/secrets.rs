//! Secrets that are shown once and stored as hashes: sessions, tokens, hook keys, the setup code.

use sha2::{Digest, Sha256};

use crate::app::App;

/// What is stored instead of a secret. The secrets are 256 random bits, so a plain hash is enough.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// SHA-256 of stored bytes.
pub fn digest(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new secret: a prefix that scanners can find, and 43 characters of base 62 (256 bits).
pub fn generate(app: &App, prefix: &str) -> String {
    let mut number = app.secret();
    let mut text = prefix.to_owned();
    for _ in 0..43 {
        // Long division of the 256-bit number by 62; the remainder is the next digit.
        let mut remainder = 0u32;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or_default();
            remainder = value % 62;
        }
        text.push(char::from(ALPHABET[remainder as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_differ_and_are_stable() {
        assert_eq!(hash("a"), hash("a"));
        assert_ne!(hash("a"), hash("b"));
        assert_eq!(hash("a").len(), 32);
    }
}
