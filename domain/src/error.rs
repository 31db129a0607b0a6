//! What can go wrong, in the words of the domain. Statuses of HTTP are given at the doors alone.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::key::verdict::Refusal;

/// One rule that one field of the input breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field as the JSON API names it, e.g. `expires_on`.
    pub field: String,
    /// One sentence for a person, as it stands on the page.
    pub message: String,
}

impl FieldError {
    /// `field` breaks a rule; `message` says which.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// Every way in which a call into this crate fails. An outcome that is expected, such as a refused key, is a value instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks these rules: all of them, not the first.
    #[error("invalid input: {}", .0.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// There is none, or it is another tenant's, which is the same thing.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// It exists, and there may be only one.
    #[error("{what} '{name}' exists already")]
    AlreadyExists {
        /// The kind of thing, e.g. `tenant`.
        what: &'static str,
        /// The name that is taken.
        name: String,
    },
    /// Every place under the tenant's key limit is taken.
    #[error("the limit of {limit} keys is reached")]
    KeyLimitReached {
        /// The tenant's key limit.
        limit: u32,
    },
    /// A revoked key can be neither edited nor rotated.
    #[error("the key is revoked")]
    KeyRevoked,
    /// Somebody changed it since it was read.
    #[error("it was changed by someone else")]
    Stale,
    /// The request was carried out before, with the same idempotency key. Nothing was changed now.
    #[error("the request was carried out before")]
    Repeated {
        /// The identifier of what the first request made or changed.
        id: Uuid,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    RequestReused,
    /// Another request with the same idempotency key is being carried out.
    #[error("a request with the same idempotency key is being carried out")]
    RequestInFlight,
    /// The form is older than its idempotency key is remembered, so a repeat could not be recognised.
    #[error("the form is too old")]
    FormTooOld,
    /// Too many attempts failed. None is judged before `retry_after` has passed.
    #[error("too many failed attempts")]
    Throttled {
        /// At least one second.
        retry_after: TimeDelta,
    },
    /// The actor may not do this.
    #[error("not allowed")]
    Forbidden,
    /// The key that acts would hand out more than it has, or change itself.
    #[error("a key can hand out no more than it has")]
    ExceedsOwnGrant,
    /// The key that acts was good when the request came in, and is no longer.
    #[error("the key that acts is refused: {}", .0.code())]
    ActorRefused(Refusal),
    /// The cursor is not one that this list handed out.
    #[error("the cursor is not valid")]
    InvalidCursor,
    /// So much of one tenant is being listed and searched that this request has no place. Nothing was changed, and asking again in
    /// a moment is right.
    #[error("too many requests of this tenant")]
    TooManyRequests,
    /// The database is down, locked or too slow. Nothing was changed, and asking again later is right.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database did not confirm a commit in time, or failed while it committed: the change may have been made. Repeating it with the
    /// same idempotency key, or reading again, tells.
    #[error("the database did not say whether the change was made")]
    OutcomeUnknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A defect of ours or a damaged database. The source is for the log.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// One broken rule of one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }
}
