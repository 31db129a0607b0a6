//! Passwords: rules and storage.
//!
//! | question | file |
//! | --- | --- |
//! | Which passwords are allowed? | `rules.rs` |
//! | How is a password stored and verified? | `hash.rs` |
//! | How many passwords are hashed concurrently? | `slots.rs` |
//! | Which memory does hashing use? | `memory.rs` |

mod hash;
mod memory;
mod rules;
mod slots;

pub use rules::{MAX_BYTES, MAX_LENGTH, MIN_LENGTH, check_length, check_new, generate};

pub(crate) use hash::Verdict;
pub(crate) use slots::{Slot, Slots};

use std::time::Duration;
use unicode_normalization::UnicodeNormalization;

use crate::{Error, FieldError, user::Email};

/// Longest wait of an operator's command for a slot. Longer than that of a sign-in, because clients cannot flood it.
const OPERATOR_PATIENCE: Duration = Duration::from_secs(10);

/// The password in NFC, so that composed and decomposed spellings are equal. White space is kept.
fn normalise(password: &str) -> String {
    password.nfc().collect()
}

/// Runs [`check_new`] off the async threads. `None` if the password is accepted.
///
/// # Errors
/// [`Error::Unavailable`] if too many passwords wait already.
pub(crate) async fn find_fault(
    slots: &Slots,
    password: &str,
    email: &Email,
    name: &str,
) -> Result<Option<FieldError>, Error> {
    // The cheap rules run first, so that a password of a wrong length does not wait for a slot.
    if let Err(fault) = rules::check_length(password) {
        return Ok(Some(fault));
    }
    let (password, email, name) = (password.to_owned(), email.clone(), name.to_owned());
    slots
        .judge(OPERATOR_PATIENCE, move || {
            check_new(&password, &email, &name).err()
        })
        .await
}

/// The PHC string of a password that [`find_fault`] accepted.
///
/// # Errors
/// [`Error::Unavailable`] if too many passwords wait already.
pub(crate) async fn hash(slots: &Slots, password: &str) -> Result<String, Error> {
    let password = normalise(password);
    operator_slot(slots)
        .await?
        .run(move |memory| hash::hash(&password, memory))
        .await?
}

/// Whether `password` matches `stored`. Occupies `slot` until it returns. Without `stored`, for an unknown user, it does the same work, so
/// that the duration does not reveal whether the user exists.
pub(crate) async fn verify(
    slot: Slot,
    password: &str,
    stored: Option<String>,
) -> Result<Verdict, Error> {
    let password = normalise(password);
    slot.run(move |memory| match stored {
        Some(stored) => hash::verify(&password, &stored, memory),
        None => hash::pretend(&password, memory),
    })
    .await?
}

async fn operator_slot(slots: &Slots) -> Result<Slot, Error> {
    slots
        .acquire(OPERATOR_PATIENCE)
        .await
        .ok_or_else(|| Error::Unavailable("too many passwords are being hashed".into()))
}
