//! Secrets that no database holds, made as fast as a server can refuse them.

use std::hash::{BuildHasher, RandomState};

use anyhow::{Context, Result, ensure};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "lk_";
const RANDOM_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;

/// SplitMix64: quick, and other numbers in each process and thread. Not for secrets that are to be kept.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(RandomState::new().hash_one(()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of 0 to `count` - 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// A secret of the right form that nobody was given.
    pub(crate) fn unknown_secret(&mut self) -> String {
        let mut secret = String::from(PREFIX);
        secret.extend((0..RANDOM_LENGTH).map(|_| char::from(BASE62[self.below(BASE62.len())])));
        secret.push_str(&checksum(&secret));
        secret
    }

    /// The same with a wrong checksum.
    pub(crate) fn junk(&mut self) -> String {
        let mut secret = self.unknown_secret();
        let last = secret.pop();
        secret.push(if last == Some('0') { '1' } else { '0' });
        secret
    }
}

/// Makes sure that `issued`, a secret of the server's own, has the form of those made here: others would be refused too, but
/// without a look into the database.
///
/// # Errors
/// Where the form has changed.
pub(crate) fn check_form(issued: &str) -> Result<()> {
    let (covered, digits) = issued
        .len()
        .checked_sub(CHECKSUM_LENGTH)
        .and_then(|length| issued.split_at_checked(length))
        .context("the server's secrets are shorter than a checksum")?;
    ensure!(
        covered.starts_with(PREFIX)
            && covered.len() == PREFIX.len() + RANDOM_LENGTH
            && checksum(covered) == digits,
        "the form of secrets has changed (domain/src/key/format.rs): follow it in xtask/src/bench/secret.rs"
    );
    Ok(())
}

/// That of `domain/src/key/format.rs`.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = ['0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(BASE62[(rest % 62) as usize]);
        rest /= 62;
    }
    digits.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_the_form_and_junk_has_not() {
        let mut random = Random::new();
        for _ in 0..1_000 {
            check_form(&random.unknown_secret()).expect("the form");
            assert!(check_form(&random.junk()).is_err());
        }
        assert!(check_form("lk_").is_err());
        assert_ne!(random.unknown_secret(), random.unknown_secret());
    }
}
