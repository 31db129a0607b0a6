//! What a new password may be: long enough, and not easy to guess. No composition rules.

use zxcvbn::{Score, zxcvbn};

use super::normalise;
use crate::{Error, FieldError, store::random, text, user::Email};

/// Fewest characters (Unicode scalar values, in NFC).
pub const MIN_LENGTH: usize = 12;
/// Most characters (Unicode scalar values, in NFC).
pub const MAX_LENGTH: usize = 256;
/// More bytes than this are refused before anything else is done with them: 256 characters of four bytes each.
pub const MAX_BYTES: usize = 1_024;

/// The least score of zxcvbn, of 0 to 4: "safely unguessable, moderate protection from offline slow-hash scenario".
const LEAST_SCORE: Score = Score::Three;
/// zxcvbn's time grows faster than its input. What is not guessable in its first hundred characters stays so.
const JUDGED_CHARACTERS: usize = 100;

const FIELD: &str = "password";
const WRONG_LENGTH: &str = "Must be 12–256 characters";
const GUESSABLE: &str =
    "This password is easy to guess: use a longer one, or several unusual words";

/// Whether `password` may become the password of that user. Costs milliseconds: not for the async threads.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn check_new(password: &str, email: &Email, name: &str) -> Result<(), FieldError> {
    check_length(password)?;
    let judged: String = normalise(password)
        .chars()
        .take(JUDGED_CHARACTERS)
        .collect();
    // What an attacker knows of the user is no secret, whole or in parts.
    let known: Vec<&str> = [email.as_str(), name, "latchkey"]
        .into_iter()
        .chain(words(email.as_str()))
        .chain(words(name))
        .collect();
    if zxcvbn(&judged, &known).score() < LEAST_SCORE {
        return Err(FieldError::new(FIELD, GUESSABLE));
    }
    Ok(())
}

pub(super) fn check_length(password: &str) -> Result<(), FieldError> {
    let good = password.len() <= MAX_BYTES
        && (MIN_LENGTH..=MAX_LENGTH).contains(&text::length(&normalise(password)));
    if good {
        Ok(())
    } else {
        Err(FieldError::new(FIELD, WRONG_LENGTH))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| text::length(word) > 2)
}

/// Letters and digits that nobody takes for one another: without 0, O, o, 1, I and l. Their number divides [`LIMIT`].
const ALPHABET: &[u8; 56] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz";
/// Bytes from here on are drawn again, so that every character is equally likely.
const LIMIT: u8 = 224;
/// 24 characters of 56 hold 139 bits.
const GENERATED_LENGTH: usize = 24;

/// A random password, for a user whose operator gave none.
///
/// # Errors
/// [`Error::Internal`] where the operating system has no random source.
pub fn generate() -> Result<String, Error> {
    let mut password = String::with_capacity(GENERATED_LENGTH);
    let mut bytes = [0; 64];
    while password.len() < GENERATED_LENGTH {
        random::fill(&mut bytes)?;
        let drawn = bytes
            .iter()
            .filter(|byte| **byte < LIMIT)
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        password.extend(drawn.take(GENERATED_LENGTH - password.len()));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), String> {
        let email = "mira@acme.example".parse().unwrap();
        check_new(password, &email, "Mira Castellanos").map_err(|fault| fault.message)
    }

    #[test]
    fn p15_length_is_counted_in_characters_after_composition() {
        assert_eq!(check("vq7#Lm2xR9t"), Err(WRONG_LENGTH.to_owned()), "11");
        assert_eq!(check("vq7#Lm2xR9tW"), Ok(()), "12");
        // Eleven characters, one of them spelled with two: still eleven.
        assert_eq!(check("vq7#Lm2xR9e\u{301}"), Err(WRONG_LENGTH.to_owned()));
        let long: String = "kestrel harbour 47 tundra "
            .chars()
            .cycle()
            .take(64)
            .collect();
        assert_eq!(check(&long), Ok(()), "64");
        let long: String = "kestrel harbour 47 tundra "
            .chars()
            .cycle()
            .take(256)
            .collect();
        assert_eq!(check(&long), Ok(()), "256");
        assert_eq!(
            check(&format!("{long}x")),
            Err(WRONG_LENGTH.to_owned()),
            "257"
        );
    }

    #[test]
    fn p15_so_many_bytes_are_refused_and_one_fewer_is_not() {
        let longest: String = "🦊🌋🧭🎻🪁🦉🧊🪴".chars().cycle().take(256).collect();
        assert_eq!(longest.len(), MAX_BYTES);
        assert_eq!(check(&longest), Ok(()));
        // 1,025 bytes that would compose to fewer characters than are too many.
        let more = "e\u{301}".repeat(341) + "xx";
        assert_eq!(more.len(), 1_025);
        assert_eq!(check(&more), Err(WRONG_LENGTH.to_owned()));
    }

    #[test]
    fn p15_no_kind_of_character_is_demanded() {
        for password in [
            "copper walrus thirteen violins",
            "🦊🌋🧭🎻🪁🦉🧊🪴🐙🦔🍋🛶",
            "   vq Lm xR tW   ",
            "830174629581730465",
            "сорок восемь журавлей летят",
        ] {
            assert_eq!(check(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn p15_what_is_easy_to_guess_is_refused() {
        for password in [
            "passwordpassword",
            "aaaaaaaaaaaaaaaa",
            "qwertyuiop[]",
            "123456789012",
            "mira@acme.example",
            "Mira Castellanos",
            "castellanosmira1",
            "latchkeylatchkey",
        ] {
            assert_eq!(check(password), Err(GUESSABLE.to_owned()), "{password}");
        }
    }

    #[test]
    fn generated_passwords_are_good_and_differ() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        for password in [one, other] {
            assert_eq!(password.len(), GENERATED_LENGTH);
            assert!(password.bytes().all(|byte| ALPHABET.contains(&byte)));
            assert_eq!(check(&password), Ok(()));
        }
    }

    #[test]
    fn every_character_of_a_generated_password_is_equally_likely() {
        assert_eq!(usize::from(LIMIT) % ALPHABET.len(), 0);
    }
}
