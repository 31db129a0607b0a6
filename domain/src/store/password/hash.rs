//! How a password is kept: argon2id, as a PHC string with a salt of its own.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{self, phc::PasswordHash},
};

use crate::Error;

/// KiB: 19 MiB, the least that OWASP's password storage cheat sheet gives for two iterations.
const MEMORY: u32 = 19_456;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// What came of a check.
pub(crate) enum Verdict {
    /// It is another password.
    Wrong,
    /// It is the password.
    Right {
        /// The PHC string to keep from now on, where the stored one was made with weaker parameters than today's.
        rehashed: Option<String>,
    },
}

/// What [`Argon2`] says goes into the log alone: it names no password.
fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(Box::new(error))
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY, ITERATIONS, LANES, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

pub(super) fn hash(password: &str) -> Result<String, Error> {
    let hash: PasswordHash = hasher()?
        .hash_password(password.as_bytes())
        .map_err(internal)?;
    Ok(hash.to_string())
}

/// Does the work of [`verify`] where there is nothing to compare with.
pub(super) fn pretend(password: &str) -> Result<Verdict, Error> {
    std::hint::black_box(hash(password)?);
    Ok(Verdict::Wrong)
}

pub(super) fn verify(password: &str, stored: &str) -> Result<Verdict, Error> {
    let stored = PasswordHash::new(stored).map_err(internal)?;
    // The parameters are those of the stored hash.
    match hasher()?.verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(Verdict::Right {
            rehashed: is_outdated(&stored).then(|| hash(password)).transpose()?,
        }),
        Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(internal(error)),
    }
}

/// Whether `stored` was made with less than what [`hash`] takes today.
fn is_outdated(stored: &PasswordHash) -> bool {
    let current = stored.algorithm == argon2::ARGON2ID_IDENT
        && stored.version == Some(Version::V0x13.into())
        && Params::try_from(stored).is_ok_and(|params| {
            params.m_cost() >= MEMORY && params.t_cost() >= ITERATIONS && params.p_cost() >= LANES
        });
    !current
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weaker(password: &str) -> String {
        let params = Params::new(8_192, 1, 1, None).unwrap();
        let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.as_bytes())
            .unwrap();
        hash.to_string()
    }

    #[test]
    fn p14_the_parameters_and_the_salt_stand_in_the_hash() {
        let (one, other) = (
            hash("copper walrus").unwrap(),
            hash("copper walrus").unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "each has a salt of its own");
    }

    #[test]
    fn p14_weaker_parameters_are_replaced_and_the_right_password_only() {
        let stored = weaker("copper walrus");
        let Verdict::Right {
            rehashed: Some(new),
        } = verify("copper walrus", &stored).unwrap()
        else {
            panic!("the right password renews a weak hash");
        };
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        assert!(matches!(
            verify("copper walrus", &new).unwrap(),
            Verdict::Right { rehashed: None }
        ));
        assert!(matches!(
            verify("copper walruS", &stored).unwrap(),
            Verdict::Wrong
        ));
    }
}
