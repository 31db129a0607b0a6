//! The errors of this crate. The JSON API, the pages and the command line map them to statuses and exit codes.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{id::KeyRef, key::verdict::Refusal, user_rule::UserRule};

/// A broken rule of one field of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field as the JSON API names it, e.g. `expires_on`.
    pub field: String,
    /// One sentence for a person, as the page shows it.
    pub message: String,
}

impl FieldError {
    /// A broken rule of `field`; `message` describes it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// Why a stored secret can be neither encrypted nor decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No key is set.
    #[error("LATCHKEY_ENCRYPTION_KEY is not set")]
    Missing,
    /// The setting is not a key.
    #[error("LATCHKEY_ENCRYPTION_KEY is not 32 bytes in base64")]
    Malformed,
    /// The value was encrypted with a key that is not set, or is damaged.
    #[error("LATCHKEY_ENCRYPTION_KEY is not the key with which the stored value was encrypted")]
    Wrong,
}

/// The errors of calls into this crate. An expected outcome, such as a refused key, is a value instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks these rules; all of them are listed.
    #[error("invalid input: {}", .0.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// The object does not exist, or belongs to another tenant.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The object exists already and must be unique.
    #[error("{what} '{name}' exists already")]
    AlreadyExists {
        /// The kind of object, e.g. `tenant`.
        what: &'static str,
        /// The name that is taken.
        name: String,
    },
    /// The tenant has as many keys as its limit allows.
    #[error("the limit of {limit} keys is reached")]
    KeyLimitReached {
        /// The tenant's key limit.
        limit: u32,
    },
    /// Keys that are not revoked have the group, so it cannot be deleted.
    #[error("{keys} keys have the group")]
    GroupInUse {
        /// The number of keys.
        keys: u64,
        /// The first ten by name.
        named: Vec<KeyRef>,
    },
    /// A revoked key cannot be edited or rotated.
    #[error("the key is revoked")]
    KeyRevoked,
    /// The object was changed since the caller read it.
    #[error("it was changed by someone else")]
    Stale,
    /// The request was carried out before, with the same idempotency key. Nothing was changed now.
    #[error("the request was carried out before")]
    Repeated {
        /// The identifier of the object that the first request created or changed.
        id: Uuid,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    RequestReused,
    /// Another request with the same idempotency key is being carried out.
    #[error("a request with the same idempotency key is being carried out")]
    RequestInFlight,
    /// The form is older than the storage time of its idempotency key, so a repeat could not be recognised.
    #[error("the form is too old")]
    FormTooOld,
    /// Too many attempts failed. No attempt is checked before `retry_after` has passed.
    #[error("too many failed attempts")]
    Throttled {
        /// At least one second.
        retry_after: TimeDelta,
    },
    /// The change breaks a rule about users.
    #[error("{0}")]
    UserRule(UserRule),
    /// The actor may not do this.
    #[error("not allowed")]
    Forbidden,
    /// The acting key would grant more than it has, or change itself.
    #[error("a key cannot grant more than it has")]
    ExceedsOwnGrant,
    /// The acting key was valid when the request arrived, and no longer is.
    #[error("the acting key is refused: {}", .0.code())]
    ActorRefused(Refusal),
    /// A stored secret can be neither encrypted nor decrypted. Nothing was changed.
    #[error("{0}")]
    EncryptionKey(#[from] KeyFault),
    /// The cursor was not issued by this list.
    #[error("the cursor is not valid")]
    InvalidCursor,
    /// Too many lists and searches of this tenant run and wait already. Nothing was changed; retry in a moment.
    #[error("too many requests of this tenant")]
    TooManyRequests,
    /// The database is down, locked or too slow. Nothing was changed; retry later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database did not confirm a commit in time, or failed while committing: the change may have been made. To determine the outcome,
    /// repeat the request with the same idempotency key, or read again.
    #[error("the database did not confirm the change: its outcome is unknown")]
    OutcomeUnknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A bug or a damaged database. The source is for the log.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// [`Self::Invalid`] with one broken rule.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }
}
