//! Encryption of stored secrets that must be readable again: AES-256-GCM under the operator's key, with the place of the value as associated
//! data, so that a value copied to another row or column cannot be decrypted.
//!
//! A stored value is text: `v1.<key id>.<base64 of nonce and ciphertext>`. The key id is part of a digest of the key, so that the values of
//! an old key can be found.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use std::fmt;
use uuid::Uuid;

use super::random;
use crate::Error;
pub use crate::error::KeyFault;

/// The length of the key, in bytes.
const KEY_LENGTH: usize = 32;
/// The length of a nonce, in bytes.
const NONCE_LENGTH: usize = 12;
/// The format of a stored value.
const FORMAT: &str = "v1";

/// A key. `Debug` shows its id only.
#[derive(Clone)]
struct Key {
    bytes: [u8; KEY_LENGTH],
    id: String,
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; KEY_LENGTH] = STANDARD.decode(text.trim()).ok()?.try_into().ok()?;
        let mut digest = Sha256::new();
        digest.update(b"latchkey encryption key");
        digest.update(bytes);
        let id = digest.finalize();
        let id = id.iter().take(4).map(|byte| format!("{byte:02x}"));
        Some(Self {
            bytes,
            id: id.collect(),
        })
    }

    /// The beginning of the values that this key encrypted.
    fn prefix(&self) -> String {
        format!("{FORMAT}.{}.", self.id)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.bytes.into())
    }
}

/// One setting.
#[derive(Clone, Default)]
enum Setting {
    #[default]
    Missing,
    Malformed,
    Key(Key),
}

impl Setting {
    fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::Missing;
        }
        Key::parse(text).map_or(Self::Malformed, Self::Key)
    }

    const fn key(&self) -> Option<&Key> {
        match self {
            Self::Key(key) => Some(key),
            Self::Missing | Self::Malformed => None,
        }
    }
}

/// The current key and the previous one. A missing or malformed key is a value: only what needs the key fails.
#[derive(Clone, Default)]
pub struct EncryptionKeys {
    current: Setting,
    previous: Setting,
}

impl fmt::Debug for EncryptionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |setting: &Setting| setting.key().map(|key| key.id.clone());
        formatter
            .debug_struct("EncryptionKeys")
            .field("current", &id(&self.current))
            .field("previous", &id(&self.previous))
            .finish()
    }
}

/// The place of a stored value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: Uuid,
}

impl Place {
    fn associated_data(self) -> Vec<u8> {
        format!("{}.{}.{}", self.table, self.column, self.row).into_bytes()
    }
}

impl EncryptionKeys {
    /// The keys as the settings give them, in base64; empty text for none.
    #[must_use]
    pub fn new(current: &str, previous: &str) -> Self {
        Self {
            current: Setting::parse(current),
            previous: Setting::parse(previous),
        }
    }

    /// Whether a setting is a key: 32 bytes in base64.
    #[must_use]
    pub fn is_key(text: &str) -> bool {
        Key::parse(text).is_some()
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no random source.
    pub fn generate() -> Result<String, Error> {
        let mut bytes = [0; KEY_LENGTH];
        random::fill(&mut bytes)?;
        Ok(STANDARD.encode(bytes))
    }

    /// Why values cannot be encrypted; `None` if they can.
    #[must_use]
    pub const fn fault(&self) -> Option<KeyFault> {
        match &self.current {
            Setting::Missing => Some(KeyFault::Missing),
            Setting::Malformed => Some(KeyFault::Malformed),
            Setting::Key(_) => None,
        }
    }

    fn current(&self) -> Result<&Key, KeyFault> {
        self.current
            .key()
            .ok_or_else(|| self.fault().unwrap_or(KeyFault::Missing))
    }

    /// The beginning of the values that the current key encrypted.
    pub(crate) fn current_prefix(&self) -> Result<String, KeyFault> {
        self.current().map(Key::prefix)
    }

    /// Encrypts `secret` for `place`.
    pub(crate) fn encrypt(&self, place: Place, secret: &[u8]) -> Result<String, Error> {
        let key = self.current()?;
        let mut nonce = [0; NONCE_LENGTH];
        random::fill(&mut nonce)?;
        let aad = place.associated_data();
        let payload = Payload {
            msg: secret,
            aad: &aad,
        };
        let encrypted = key
            .cipher()
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|error| Error::Internal(error.to_string().into()))?;
        let stored = [nonce.as_slice(), &encrypted].concat();
        Ok(format!("{}{}", key.prefix(), STANDARD.encode(stored)))
    }

    /// Decrypts a value that [`Self::encrypt`] returned for `place`, with the current key or the previous one.
    pub(crate) fn decrypt(&self, place: Place, stored: &str) -> Result<Vec<u8>, KeyFault> {
        let keys = [self.current.key(), self.previous.key()];
        let mut keys = keys.into_iter().flatten();
        let found = keys.find_map(|key| Some((key, stored.strip_prefix(&key.prefix())?)));
        let Some((key, encoded)) = found else {
            return Err(self.fault().unwrap_or(KeyFault::Wrong));
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyFault::Wrong)?;
        let (nonce, encrypted) = bytes
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(KeyFault::Wrong)?;
        let aad = place.associated_data();
        let payload = Payload {
            msg: encrypted,
            aad: &aad,
        };
        key.cipher()
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| KeyFault::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(row: u128) -> Place {
        Place {
            table: "second_factors",
            column: "seed",
            row: Uuid::from_u128(row),
        }
    }

    #[test]
    fn a_value_is_decrypted_at_its_place_only() {
        let keys = EncryptionKeys::new(&EncryptionKeys::generate().unwrap(), "");
        let stored = keys.encrypt(place(1), b"a seed").unwrap();
        assert_eq!(keys.decrypt(place(1), &stored).unwrap(), b"a seed");
        let elsewhere = Place {
            column: "other",
            ..place(1)
        };
        for other in [place(2), elsewhere] {
            assert_eq!(keys.decrypt(other, &stored), Err(KeyFault::Wrong));
        }
        let again = keys.encrypt(place(1), b"a seed").unwrap();
        assert_ne!(stored, again, "each value has its own nonce");
        let mut damaged = stored;
        damaged.truncate(damaged.len() - 4);
        assert_eq!(keys.decrypt(place(1), &damaged), Err(KeyFault::Wrong));
    }

    #[test]
    fn the_previous_key_still_decrypts_and_another_one_does_not() {
        let [old, new] = [(); 2].map(|()| EncryptionKeys::generate().unwrap());
        let stored = EncryptionKeys::new(&old, "").encrypt(place(1), b"seed");
        let stored = stored.unwrap();
        let rotating = EncryptionKeys::new(&new, &old);
        assert_eq!(rotating.decrypt(place(1), &stored).unwrap(), b"seed");
        let rotated = rotating.encrypt(place(1), b"seed").unwrap();
        assert!(rotated.starts_with(&rotating.current_prefix().unwrap()));
        let only_new = EncryptionKeys::new(&new, "");
        assert_eq!(only_new.decrypt(place(1), &rotated).unwrap(), b"seed");
        assert_eq!(only_new.decrypt(place(1), &stored), Err(KeyFault::Wrong));
        let none = EncryptionKeys::default();
        assert_eq!(none.decrypt(place(1), &stored), Err(KeyFault::Missing));
        assert!(matches!(
            none.encrypt(place(1), b"seed"),
            Err(Error::EncryptionKey(KeyFault::Missing))
        ));
    }

    #[test]
    fn a_malformed_key_is_a_fault_and_no_key_is_shown() {
        for text in ["x", "AAAA", &"A".repeat(44)] {
            let keys = EncryptionKeys::new(text, "");
            let fault = keys.fault();
            assert!(matches!(fault, None | Some(KeyFault::Malformed)), "{text}");
            assert!(!format!("{keys:?}").contains(text));
        }
        assert_eq!(
            EncryptionKeys::new("AAAA", "").fault(),
            Some(KeyFault::Malformed)
        );
    }
}
