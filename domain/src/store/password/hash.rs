//! Password hashes: argon2id as a PHC string with a salt of its own.

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};

use super::memory::Memory;
use crate::Error;

/// In KiB: 19 MiB, the minimum of OWASP's password storage cheat sheet for two iterations.
const MEMORY: u32 = 19_456;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// The result of a verification.
pub(crate) enum Verdict {
    /// Wrong password.
    Wrong,
    /// Right password.
    Right {
        /// The PHC string to store, if the stored one has weaker parameters than the current ones.
        rehashed: Option<String>,
    },
}

/// An error of [`Argon2`] for the log. It contains no password.
fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(Box::new(error))
}

/// The algorithm and parameters of a hash, without password and salt.
struct Recipe {
    algorithm: Algorithm,
    version: Version,
    params: Params,
}

impl Recipe {
    /// The parameters of new hashes.
    fn current() -> Result<Self, Error> {
        Ok(Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params: Params::new(MEMORY, ITERATIONS, LANES, None).map_err(internal)?,
        })
    }

    /// The parameters of a stored hash.
    fn of(stored: &PasswordHash) -> Result<Self, Error> {
        let version = stored.version.map(Version::try_from).transpose();
        Ok(Self {
            algorithm: Algorithm::try_from(stored.algorithm.as_str()).map_err(internal)?,
            version: version.map_err(internal)?.unwrap_or_default(),
            params: Params::try_from(stored).map_err(internal)?,
        })
    }

    /// Hashes like the crate's own hasher, which would allocate new memory for each password.
    fn follow(&self, password: &str, salt: &Salt, memory: &mut Memory) -> Result<Output, Error> {
        let length = self
            .params
            .output_len()
            .unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let mut output = vec![0; length];
        let blocks = memory.blocks(self.params.block_count());
        Argon2::new(self.algorithm, self.version, self.params.clone())
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, blocks)
            .map_err(internal)?;
        Output::new(&output).map_err(internal)
    }
}

pub(super) fn hash(password: &str, memory: &mut Memory) -> Result<String, Error> {
    let recipe = Recipe::current()?;
    let salt = Salt::generate();
    let output = recipe.follow(password, &salt, memory)?;
    let hash = PasswordHash {
        algorithm: recipe.algorithm.ident(),
        version: Some(recipe.version.into()),
        params: ParamsString::try_from(&recipe.params).map_err(internal)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// Takes as long as [`verify`], for a user without a stored hash.
pub(super) fn pretend(password: &str, memory: &mut Memory) -> Result<Verdict, Error> {
    std::hint::black_box(hash(password, memory)?);
    Ok(Verdict::Wrong)
}

pub(super) fn verify(password: &str, stored: &str, memory: &mut Memory) -> Result<Verdict, Error> {
    let stored = PasswordHash::new(stored).map_err(internal)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(Error::Internal("a stored password has no hash".into()));
    };
    // `Output` compares in constant time.
    if Recipe::of(&stored)?.follow(password, salt, memory)? != *expected {
        return Ok(Verdict::Wrong);
    }
    Ok(Verdict::Right {
        rehashed: is_outdated(&stored)
            .then(|| hash(password, memory))
            .transpose()?,
    })
}

/// Whether `stored` has weaker parameters than [`hash`] uses.
fn is_outdated(stored: &PasswordHash) -> bool {
    let current = stored.algorithm == ARGON2ID_IDENT
        && stored.version == Some(Version::V0x13.into())
        && Params::try_from(stored).is_ok_and(|params| {
            params.m_cost() >= MEMORY && params.t_cost() >= ITERATIONS && params.p_cost() >= LANES
        });
    !current
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    fn weaker(password: &str) -> String {
        let params = Params::new(8_192, 1, 1, None).unwrap();
        let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.as_bytes())
            .unwrap();
        hash.to_string()
    }

    #[test]
    fn p14_the_parameters_and_the_salt_stand_in_the_hash() {
        let memory = &mut Memory::default();
        let (one, other) = (
            hash("copper walrus", memory).unwrap(),
            hash("copper walrus", memory).unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "each has a salt of its own");
    }

    #[test]
    fn p14_weaker_parameters_are_replaced_and_the_right_password_only() {
        let stored = weaker("copper walrus");
        let memory = &mut Memory::default();
        let Verdict::Right {
            rehashed: Some(new),
        } = verify("copper walrus", &stored, memory).unwrap()
        else {
            panic!("the right password renews a weak hash");
        };
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        assert!(matches!(
            verify("copper walrus", &new, memory).unwrap(),
            Verdict::Right { rehashed: None }
        ));
        assert!(matches!(
            verify("copper walruS", &stored, memory).unwrap(),
            Verdict::Wrong
        ));
    }

    #[test]
    fn p14_what_we_hash_is_what_the_crate_itself_would_accept() {
        let memory = &mut Memory::default();
        // The contents of the memory after another password have no effect.
        hash("violet canoe", memory).unwrap();
        let stored = hash("copper walrus", memory).unwrap();
        let parsed = PasswordHash::new(&stored).unwrap();
        let theirs = |password: &[u8]| Argon2::default().verify_password(password, &parsed);
        assert!(theirs(b"copper walrus").is_ok());
        assert!(theirs(b"violet canoe").is_err());
    }
}
