//! Rules for new passwords: a minimum length and resistance to guessing. No composition rules.

use zxcvbn::{Score, zxcvbn};

use super::normalise;
use crate::{Error, FieldError, store::random, text, user::Email};

/// Minimum number of characters (Unicode scalar values, in NFC).
pub const MIN_LENGTH: usize = 12;
/// Maximum number of characters (Unicode scalar values, in NFC).
pub const MAX_LENGTH: usize = 256;
/// Maximum number of bytes, checked before any other work: 256 characters of four bytes each.
pub const MAX_BYTES: usize = 1_024;

/// The minimum score of zxcvbn, from 0 to 4: "safely unguessable, moderate protection from offline slow-hash scenario".
const LEAST_SCORE: Score = Score::Three;
/// Number of characters that zxcvbn judges, because its time grows faster than its input. A password whose first hundred characters are
/// hard to guess stays so.
const JUDGED_CHARACTERS: usize = 100;

const FIELD: &str = "password";
const WRONG_LENGTH: &str = "Must be 12–256 characters";
const GUESSABLE: &str =
    "This password is easy to guess: use a longer one, or several unusual words";

/// Whether `password` may become the password of this user. Takes milliseconds, too long for the async threads.
///
/// # Errors
/// A description of the fault, in one sentence.
pub fn check_new(password: &str, email: &Email, name: &str) -> Result<(), FieldError> {
    check_length(password)?;
    let judged: String = normalise(password)
        .chars()
        .take(JUDGED_CHARACTERS)
        .collect();
    let judged = with_few_readings(judged);
    // Attackers try the user's own data and the name of the product, whole or in parts.
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

/// Checks the length only, which takes no noticeable time.
///
/// # Errors
/// The violated rule.
pub fn check_length(password: &str) -> Result<(), FieldError> {
    let good = password.len() <= MAX_BYTES
        && (MIN_LENGTH..=MAX_LENGTH).contains(&text::length(&normalise(password)));
    if good {
        Ok(())
    } else {
        Err(FieldError::new(FIELD, WRONG_LENGTH))
    }
}

/// The characters that zxcvbn reads as each letter, as in `p4$$w0rd`.
const READINGS: [(char, &str); 12] = [
    ('a', "4@"),
    ('b', "8"),
    ('c', "({[<"),
    ('e', "3"),
    ('g', "69"),
    ('i', "1!|"),
    ('l', "1|7"),
    ('o', "0"),
    ('s', "$5"),
    ('t', "+7"),
    ('x', "%"),
    ('z', "2"),
];
/// zxcvbn looks the password up once for each reading, and a text of such characters has hundreds of readings.
const MOST_READINGS: usize = 8;

/// Returns `password` unchanged if it has few readings. Otherwise its punctuation is replaced by the letters that it can stand for, which
/// the dictionaries match as well. Digits keep their several readings, because dates and sequences consist of them too.
fn with_few_readings(password: String) -> String {
    let readings: usize = READINGS
        .iter()
        .map(|(_, characters)| {
            let used = characters.chars().filter(|used| password.contains(*used));
            used.count().max(1)
        })
        .product();
    if readings <= MOST_READINGS {
        return password;
    }
    let letter = |character: char| {
        READINGS
            .iter()
            .find(|(_, characters)| characters.contains(character))
            .map(|(letter, _)| *letter)
    };
    password
        .chars()
        .map(|character| match letter(character) {
            Some(letter) if !character.is_ascii_digit() => letter,
            _ => character,
        })
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| text::length(word) > 2)
}

/// Letters and digits that are not mistaken for one another: without 0, O, o, 1, I and l. Their number divides [`LIMIT`].
const ALPHABET: &[u8; 56] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz";
/// Bytes from this value on are rejected, so that every character is equally likely.
const LIMIT: u8 = 224;
/// 24 characters from an alphabet of 56 hold 139 bits.
const GENERATED_LENGTH: usize = 24;

/// A random password for a user, if the operator specified none.
///
/// # Errors
/// [`Error::Internal`] if the operating system has no random source.
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
    use std::{fs, time::Duration};

    fn check(password: &str) -> Result<(), String> {
        let email = "mira@acme.example".parse().unwrap();
        check_new(password, &email, "Mira Castellanos").map_err(|fault| fault.message)
    }

    #[test]
    fn p15_length_is_counted_in_characters_after_composition() {
        assert_eq!(check("vq7#Lm2xR9t"), Err(WRONG_LENGTH.to_owned()), "11");
        assert_eq!(check("vq7#Lm2xR9tW"), Ok(()), "12");
        // Eleven characters, one of them written as two scalar values.
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
        // 1,025 bytes are too many, even if they compose to fewer characters.
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
    fn p15_letters_in_disguise_are_as_easy_to_guess() {
        for password in ["p4ssw0rdp4ssw0rd", "p@$$w0rdp@$$w0rd"] {
            assert_eq!(check(password), Err(GUESSABLE.to_owned()), "{password}");
        }
        let disguised = with_few_readings("p@$$w0rd{!1|7+5%2".to_owned());
        assert_eq!(disguised, "passw0rdci1i7t5x2");
        let few = "p4$$w0rd!".to_owned();
        assert_eq!(with_few_readings(few.clone()), few);
    }

    /// The processor time of this thread, which other load on the machine does not affect.
    fn worked() -> Duration {
        let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let nanoseconds = times.split(' ').next().unwrap().parse().unwrap();
        Duration::from_nanos(nanoseconds)
    }

    #[test]
    fn p78_the_rules_take_little_time_whatever_the_password() {
        let disguises = "4@8({[<369#!1/|0$5+7%2";
        let printable: String = ('!'..='~').collect();
        let texts = [
            disguises,
            "p@$$w0rd(4t[3{<8!1|7+5%2690",
            "4@8({[<369!1|0$5+7%2abcdefghijklmnopqrstuvwxyz",
            printable.as_str(),
            "a",
            "ab",
            "aaaaaaaaab",
            "password",
            "correcthorsebatterystaplemonkeydragonletmeinqwertyasdfgh",
            "qwertyuiopasdfghjklzxcvbnm",
            "789456123",
            "1/1/1990 12.12.2012 ",
            "11111990",
            "19992000200120021987",
            "0123456789",
            "mira@acme.exampleMira Castellanoslatchkey",
            "🦊🌋🧭🎻🪁🦉🧊🪴",
            "сорок восемь журавлей летят",
            "漢字仮名交じり文で書く",
            "İẞaİb",
            "e\u{301}\u{302}\u{303}",
            "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
        ];
        // Excludes the cost of the first call, which loads the dictionaries.
        let _ = check("copper walrus thirteen violins");
        let mut slowest = (Duration::ZERO, "");
        for text in texts {
            for skipped in 0..4 {
                let password: String = text.chars().cycle().skip(skipped).take(256).collect();
                let before = worked();
                let _ = check(&password);
                let took = worked() - before;
                slowest = slowest.max((took, text));
            }
        }
        eprintln!("the slowest: {slowest:?}");
        assert!(slowest.0 <= Duration::from_millis(100), "{slowest:?}");
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
