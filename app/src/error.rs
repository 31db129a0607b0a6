//! What a page or a server function answers where it fails: a code for programs, a sentence for people.

use domain::FieldError;
use leptos::prelude::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::page_json::PageJsonEncoding;

/// The kinds of failure. Each has one status of HTTP, given in `ssr.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Nobody is signed in, or the session is over.
    NotSignedIn,
    /// The user may not do this.
    Forbidden,
    /// Somebody who is no super user names a tenant.
    TenantNotYours,
    /// There is none, or it is another tenant's.
    NotFound,
    /// A super user has to say which tenant is meant.
    TenantNeeded,
    /// The input breaks rules; `fields` says which.
    Invalid,
    /// Every place under the tenant's key limit is taken.
    KeyLimitReached,
    /// A revoked key can be neither edited nor rotated.
    KeyRevoked,
    /// It exists already, or was changed by someone else.
    Conflict,
    /// Too much of the tenant is being listed at once.
    TooManyRequests,
    /// The database is down or too slow. Nothing was changed.
    Unavailable,
    /// The database did not confirm the change in time. It may have been made: the page has to read again.
    OutcomeUnknown,
    /// The same form was sent before, and done then. A secret that came of it is not told again.
    AlreadyDone,
    /// A defect of ours.
    Internal,
    /// The browser got no answer from the server. Known in the browser alone.
    Unreachable,
}

/// A failure as it goes to the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    /// Its kind.
    pub code: ErrorCode,
    /// One or two sentences: what is so, then what to do.
    pub message: String,
    /// The broken rules where the code is [`ErrorCode::Invalid`].
    pub fields: Vec<FieldError>,
}

impl AppError {
    /// The failure of that kind, in its usual words.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        let message = match code {
            ErrorCode::NotSignedIn => "Your session has ended.",
            ErrorCode::Forbidden => "Ask one of your tenant administrators for access.",
            ErrorCode::TenantNotYours => {
                "Only super users name a tenant in the address. Yours opens without it."
            }
            ErrorCode::NotFound => "It may have been moved, or belong to another tenant.",
            ErrorCode::TenantNeeded => "Choose a tenant.",
            ErrorCode::Invalid => "What was sent breaks a rule.",
            ErrorCode::KeyLimitReached => "You have reached your limit of keys.",
            ErrorCode::KeyRevoked => "This key is revoked. Nothing re-activates a revoked key.",
            ErrorCode::Conflict => "It was changed by someone else.",
            ErrorCode::TooManyRequests => {
                "Too many lists of this tenant are being loaded at once. Try again in a few seconds."
            }
            ErrorCode::Unavailable => "Latchkey can’t reach its database. Nothing was changed.",
            ErrorCode::OutcomeUnknown => {
                "Latchkey did not get an answer from its database. The change may have been made: look at the list."
            }
            ErrorCode::AlreadyDone => "This was done before.",
            ErrorCode::Internal => {
                "Latchkey made a mistake. Its log says which. Try again, or ask your operator."
            }
            ErrorCode::Unreachable => {
                "Latchkey can’t be reached. What you typed is kept. Try again when you are connected."
            }
        };
        Self {
            code,
            message: message.to_owned(),
            fields: Vec::new(),
        }
    }

    /// The input breaks these rules.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        Self {
            fields,
            ..Self::new(ErrorCode::Invalid)
        }
    }
}

/// The sentence at the key limit, in the header of the list and of the form.
#[must_use]
pub fn key_limit_reached(limit: u32) -> String {
    let limit_in_words = crate::words::count(u64::from(limit), "key", "keys");
    format!("You have reached your limit of {limit_in_words}. Contact support to raise it.")
}

impl From<domain::Error> for AppError {
    fn from(error: domain::Error) -> Self {
        match error {
            domain::Error::Invalid(fields) => Self::invalid(fields),
            domain::Error::NotFound(_) | domain::Error::InvalidCursor => {
                Self::new(ErrorCode::NotFound)
            }
            domain::Error::KeyLimitReached { limit } => Self {
                message: key_limit_reached(limit),
                ..Self::new(ErrorCode::KeyLimitReached)
            },
            domain::Error::KeyRevoked => Self::new(ErrorCode::KeyRevoked),
            domain::Error::Stale | domain::Error::AlreadyExists { .. } => {
                Self::new(ErrorCode::Conflict)
            }
            domain::Error::Repeated { .. } => Self::new(ErrorCode::AlreadyDone),
            domain::Error::RequestReused => Self {
                message: "This form was sent before, with something else in it. Open it again."
                    .to_owned(),
                ..Self::new(ErrorCode::Conflict)
            },
            domain::Error::RequestInFlight => Self {
                message:
                    "This form is being worked on already. Look at the list of keys in a moment."
                        .to_owned(),
                ..Self::new(ErrorCode::Conflict)
            },
            domain::Error::FormTooOld => Self {
                message: "This form is too old. Open it again.".to_owned(),
                ..Self::new(ErrorCode::Conflict)
            },
            // A page acts for a person, whom no key's grant limits.
            domain::Error::Forbidden
            | domain::Error::ExceedsOwnGrant
            | domain::Error::ActorRefused(_) => Self::new(ErrorCode::Forbidden),
            domain::Error::TooManyRequests | domain::Error::Throttled { .. } => {
                Self::new(ErrorCode::TooManyRequests)
            }
            domain::Error::Unavailable(_source) => {
                #[cfg(feature = "ssr")]
                tracing::warn!(error = %_source, "the database is not available");
                Self::new(ErrorCode::Unavailable)
            }
            domain::Error::OutcomeUnknown(_source) => {
                #[cfg(feature = "ssr")]
                tracing::warn!(error = %_source, "the outcome of a change is unknown");
                Self::new(ErrorCode::OutcomeUnknown)
            }
            domain::Error::Internal(_source) => {
                #[cfg(feature = "ssr")]
                tracing::error!(error = %_source, "internal error");
                Self::new(ErrorCode::Internal)
            }
        }
    }
}

impl FromServerFnError for AppError {
    type Encoder = PageJsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            // The fetch itself failed, or a proxy answered in our stead with something that is not ours.
            ServerFnErrorErr::Request(_)
            | ServerFnErrorErr::Deserialization(_)
            | ServerFnErrorErr::Response(_) => Self::new(ErrorCode::Unreachable),
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                Self::new(ErrorCode::Invalid)
            }
            _ => Self::new(ErrorCode::Internal),
        }
    }
}
