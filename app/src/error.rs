//! Failures of pages and server functions: a code for programs, a message for people.

use domain::FieldError;
use leptos::prelude::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::page_json::PageJsonEncoding;

/// The kind of a failure. `ssr.rs` maps each to an HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No user is signed in, or the session has ended.
    NotSignedIn,
    /// The session lacks a second factor that the user needs.
    SecondFactorNeeded,
    /// The user's role does not permit this.
    Forbidden,
    /// A user who is not a super user named a tenant.
    TenantNotYours,
    /// The object does not exist, or belongs to another tenant.
    NotFound,
    /// A super user did not name a tenant.
    TenantNeeded,
    /// A super user named a tenant that does not exist.
    NoSuchTenant,
    /// The input is invalid; `fields` lists the errors.
    Invalid,
    /// The tenant has reached its key limit.
    KeyLimitReached,
    /// Keys that are not revoked have the group.
    GroupInUse,
    /// The key is revoked, so that it can be neither edited nor rotated.
    KeyRevoked,
    /// The object exists already, or another user changed it.
    Conflict,
    /// Too many lists of the tenant are being loaded at once.
    TooManyRequests,
    /// The database is down or too slow. Nothing was changed.
    Unavailable,
    /// The database did not confirm the change in time: it may have been made.
    OutcomeUnknown,
    /// A repeat of a form that was already handled. Its secret is not shown again.
    AlreadyDone,
    /// A defect of Latchkey.
    Internal,
    /// The browser got no response from the server. Only the browser reports this code.
    Unreachable,
}

/// A failure as the browser receives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    /// The kind.
    pub code: ErrorCode,
    /// One or two sentences: what happened, then what to do.
    pub message: String,
    /// The errors of the fields if the code is [`ErrorCode::Invalid`].
    pub fields: Vec<FieldError>,
}

impl AppError {
    /// A failure of this kind with its default message.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        let message = match code {
            ErrorCode::NotSignedIn => "Your session has ended.",
            ErrorCode::SecondFactorNeeded => {
                "Your account needs a second factor. Set it up under My account."
            }
            ErrorCode::Forbidden => "Ask one of your tenant administrators for access.",
            ErrorCode::TenantNotYours => {
                "Remove ?tenant=… from the address: only super users can choose a tenant."
            }
            ErrorCode::NotFound => "It may have been moved, or belong to another tenant.",
            ErrorCode::TenantNeeded => "Choose a tenant.",
            ErrorCode::NoSuchTenant => "There is no such tenant.",
            ErrorCode::Invalid => "What was sent breaks a rule.",
            ErrorCode::KeyLimitReached => "You have reached your limit of keys.",
            ErrorCode::GroupInUse => {
                "Keys have this group: give them another group or revoke them first."
            }
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
                "Internal error. Ask your operator: the server’s log has the cause."
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

    /// Adds the request id to the message of an internal error. The operator uses it to find the cause in the log.
    #[must_use]
    pub fn with_request_id(self, id: &str) -> Self {
        if self.code == ErrorCode::Internal {
            Self {
                message: internal_error(id),
                ..self
            }
        } else {
            self
        }
    }

    /// The tenant with this slug does not exist. The slug is any text of a URL; the message repeats only letters, digits and hyphens.
    #[must_use]
    pub fn no_such_tenant(slug: &str) -> Self {
        const LONGEST_SLUG: usize = 63;
        let error = Self::new(ErrorCode::NoSuchTenant);
        let is_plain = (slug.chars())
            .all(|character| character.is_alphanumeric() || matches!(character, '-' | '_'));
        if !is_plain || slug.chars().count() > LONGEST_SLUG {
            return error;
        }
        Self {
            message: format!("There is no tenant '{slug}'"),
            ..error
        }
    }

    /// A failure of validation.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        Self {
            fields,
            ..Self::new(ErrorCode::Invalid)
        }
    }
}

/// The message of an internal error of the request with this id.
#[must_use]
pub fn internal_error(request_id: &str) -> String {
    format!("Internal error. Give your operator the request id {request_id}.")
}

/// The message at the key limit, in the headers of the list and of the form.
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
            domain::Error::GroupInUse { .. } => Self::new(ErrorCode::GroupInUse),
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
            domain::Error::UserRule(rule) => Self {
                message: format!("{rule}."),
                ..Self::new(ErrorCode::Conflict)
            },
            // A user's request is not limited by a key's grant.
            domain::Error::Forbidden
            | domain::Error::ExceedsOwnGrant
            | domain::Error::ActorRefused(_) => Self::new(ErrorCode::Forbidden),
            domain::Error::TooManyRequests | domain::Error::Throttled { .. } => {
                Self::new(ErrorCode::TooManyRequests)
            }
            domain::Error::Unavailable(_source) => {
                #[cfg(feature = "ssr")]
                if domain::log_limit::DATABASE_UNAVAILABLE.admits_line() {
                    tracing::warn!(error = %_source, "database unavailable");
                }
                Self::new(ErrorCode::Unavailable)
            }
            domain::Error::OutcomeUnknown(_source) => {
                #[cfg(feature = "ssr")]
                tracing::warn!(error = %_source, "outcome of a change unknown: the database did not confirm the commit");
                Self::new(ErrorCode::OutcomeUnknown)
            }
            domain::Error::EncryptionKey(fault) => {
                #[cfg(feature = "ssr")]
                tracing::error!(%fault, "second factor: stored secret not readable");
                Self {
                    message: format!("Second factors do not work: {fault}. Ask your operator."),
                    ..Self::new(ErrorCode::Unavailable)
                }
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
            // The request failed, or a proxy returned a response that is not Latchkey's.
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
