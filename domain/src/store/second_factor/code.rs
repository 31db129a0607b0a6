//! The codes: those of an authenticator app by time (RFC 6238, SHA-1, six digits, 30 seconds), and recovery codes.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Totp};
use uuid::Uuid;

use crate::{Error, store::random, user::Email};

/// The length of a seed, in bytes, as RFC 4226 recommends.
const SEED_LENGTH: usize = 20;
/// The number of time steps before and after the present one whose codes are accepted, for clocks that differ.
const SKEW: u16 = 1;
/// The length of a time step, in seconds.
pub(crate) const STEP: i64 = 30;
/// The name that authenticator apps show.
const ISSUER: &str = "Latchkey";

/// The number of recovery codes.
pub const RECOVERY_CODES: usize = 10;
/// The length of a recovery code, without its hyphens: 80 random bits.
const RECOVERY_LENGTH: usize = 16;
/// The letters and digits of recovery codes, without those that look alike.
const RECOVERY_ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The seed of a user's authenticator app. `Debug` does not show it.
pub(crate) struct Seed {
    totp: Totp,
}

impl Seed {
    /// Makes a new seed for the user with this address.
    pub(crate) fn generate(email: &Email) -> Result<Self, Error> {
        let mut bytes = vec![0; SEED_LENGTH];
        random::fill(&mut bytes)?;
        Self::from_bytes(bytes, email)
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>, email: &Email) -> Result<Self, Error> {
        // A colon would separate the issuer from the account.
        let account = email.as_str().replace(':', "_");
        let totp = Builder::new()
            .with_secret(bytes)
            .with_skew(SKEW)
            .with_issuer(Some(ISSUER))
            .with_account_name(account)
            .build();
        let totp = totp.map_err(|error| Error::Internal(error.to_string().into()))?;
        Ok(Self { totp })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.totp.secret().as_ref()
    }

    /// The seed as a person types it into an app: base32.
    pub(crate) fn text(&self) -> String {
        self.totp.secret().to_base32()
    }

    /// The `otpauth` URL, which an app reads from a QR code.
    pub(crate) fn url(&self) -> Result<String, Error> {
        let url = self.totp.to_url();
        url.map_err(|error| Error::Internal(error.to_string().into()))
    }

    /// The time step of `code`, if it is one of the codes that are accepted at `now`.
    pub(crate) fn step_of(&self, code: &TotpCode, now: DateTime<Utc>) -> Option<i64> {
        let seconds = u64::try_from(now.timestamp()).ok()?;
        let step = self.totp.check(&code.0, seconds)?;
        i64::try_from(step).ok()
    }
}

/// The latest time step whose code could be accepted at `now`.
pub(crate) const fn last_step_at(now: DateTime<Utc>) -> i64 {
    now.timestamp() / STEP + SKEW as i64
}

/// A typed code of an app: six digits.
#[derive(Clone)]
pub(crate) struct TotpCode(String);

/// A typed code.
pub(crate) enum TypedCode {
    /// Six digits.
    Totp(TotpCode),
    /// The form of a recovery code.
    Recovery(RecoveryCode),
    /// Neither.
    Neither,
}

impl TypedCode {
    /// Parses what a person typed; spaces and hyphens do not count.
    pub(crate) fn parse(typed: &str) -> Self {
        /// Longer text is no code.
        const LONGEST: usize = 64;
        if typed.len() > LONGEST {
            return Self::Neither;
        }
        let plain: String = typed
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '-')
            .collect();
        if plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Totp(TotpCode(plain));
        }
        let plain = plain.to_ascii_uppercase();
        let is_recovery = plain.len() == RECOVERY_LENGTH
            && plain.bytes().all(|byte| RECOVERY_ALPHABET.contains(&byte));
        if is_recovery {
            Self::Recovery(RecoveryCode(plain))
        } else {
            Self::Neither
        }
    }
}

/// A recovery code. It has 80 random bits, so that a plain digest protects it.
pub(crate) struct RecoveryCode(String);

impl RecoveryCode {
    /// Makes a new code.
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut bytes = [0; RECOVERY_LENGTH];
        random::fill(&mut bytes)?;
        // 256 is a multiple of 32, so that every character is equally likely.
        let character = |byte: u8| char::from(RECOVERY_ALPHABET[usize::from(byte % 32)]);
        Ok(Self(bytes.into_iter().map(character).collect()))
    }

    /// The code in groups of four.
    pub(crate) fn text(&self) -> String {
        let groups: Vec<_> = self
            .0
            .as_bytes()
            .chunks(4)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect();
        groups.join("-")
    }

    /// The stored digest, which differs for each user.
    pub(crate) fn digest(&self, user: Uuid) -> Vec<u8> {
        let mut digest = Sha256::new();
        digest.update(user.as_bytes());
        digest.update(self.0.as_bytes());
        digest.finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email() -> Email {
        "mira@acme.example".parse().unwrap()
    }

    fn totp(text: &str) -> TotpCode {
        match TypedCode::parse(text) {
            TypedCode::Totp(code) => code,
            _ => panic!("{text} is no code"),
        }
    }

    /// The test vectors of RFC 6238, appendix B, cut to six digits.
    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let seed = Seed::from_bytes(b"12345678901234567890".to_vec(), &email()).unwrap();
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            assert_eq!(seed.step_of(&totp(code), now), Some(seconds / STEP));
        }
    }

    #[test]
    fn a_code_is_accepted_one_step_early_and_late_and_no_further() {
        let seed = Seed::from_bytes(b"12345678901234567890".to_vec(), &email()).unwrap();
        let code = totp("005924");
        let step = 1_234_567_890 / STEP;
        for (offset, is_accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let now = DateTime::from_timestamp((step + offset) * STEP, 0).unwrap();
            assert_eq!(seed.step_of(&code, now).is_some(), is_accepted, "{offset}");
            if is_accepted {
                assert!(last_step_at(now) >= step);
            }
        }
    }

    #[test]
    fn a_seed_is_shown_as_text_and_as_url() {
        let seed = Seed::generate(&email()).unwrap();
        assert_eq!(seed.bytes().len(), SEED_LENGTH);
        let url = seed.url().unwrap();
        assert!(
            url.starts_with("otpauth://totp/Latchkey:mira%40acme.example?"),
            "{url}"
        );
        assert!(url.contains(&format!("secret={}", seed.text())), "{url}");
        let odd = Seed::generate(&"a:b@acme.example".parse().unwrap()).unwrap();
        odd.url().unwrap();
    }

    #[test]
    fn a_typed_code_is_recognised_with_spaces_and_hyphens() {
        assert!(
            matches!(TypedCode::parse(" 123 456 "), TypedCode::Totp(code) if code.0 == "123456")
        );
        let code = RecoveryCode::generate().unwrap();
        let user = Uuid::from_u128(1);
        for typed in [code.text(), code.text().to_lowercase(), code.0.clone()] {
            match TypedCode::parse(&typed) {
                TypedCode::Recovery(typed) => assert_eq!(typed.digest(user), code.digest(user)),
                _ => panic!("{typed} is no recovery code"),
            }
        }
        assert_ne!(code.digest(user), code.digest(Uuid::from_u128(2)));
        assert_eq!(code.text().len(), 19);
        for typed in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", &"A".repeat(65)] {
            assert!(
                matches!(TypedCode::parse(typed), TypedCode::Neither),
                "{typed}"
            );
        }
    }
}
