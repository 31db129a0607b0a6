//! What the server functions of the keys return. Types only: the functions are in `server_fns.rs`.

use chrono::{DateTime, Utc};
use domain::{
    client_address::ClientAddress,
    group::AuthorizationGroup,
    key::{
        ApiKey,
        format::Secret,
        query::{KeyPage, KeySummary},
    },
    propagation::Propagation,
    tenant::KeyQuota,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A page of the list, with what its header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// The keys.
    pub page: KeyPage,
    /// How many there are, and of which kinds.
    pub summary: KeySummary,
    /// How many days are soon.
    pub soon_days: u32,
    /// When this was true.
    pub now: DateTime<Utc>,
}

/// One key, for a dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDetail {
    /// The key.
    pub key: ApiKey,
    /// Which of its changes this is: what an edit is checked against.
    pub version: i64,
    /// The one-time id of the dialog's form.
    pub form_id: Uuid,
    /// When this was true.
    pub now: DateTime<Utc>,
}

/// What the dialog that edits a key needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditContext {
    /// The key.
    pub detail: KeyDetail,
    /// What its form needs to know.
    pub form: KeyFormContext,
}

/// What came of an edit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Edited {
    /// It is saved; what the replicas said of it, where there are any.
    Saved(Option<Propagation>),
    /// Somebody else changed the key since it was opened. Nothing was saved.
    Conflict(Box<Conflict>),
}

/// The key as somebody else left it, while it was open in this dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Who changed it last.
    pub by: Option<String>,
    /// The key now.
    pub key: ApiKey,
    /// Which of its changes that is.
    pub version: i64,
}

/// What the form that makes a key needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFormContext {
    /// The groups to choose from, by name.
    pub groups: Vec<AuthorizationGroup>,
    /// How much of the key limit is used.
    pub usage: KeyQuota,
    /// The server's time, whose day dates are judged by.
    pub now: DateTime<Utc>,
    /// From where the server sees the person coming.
    pub client: ClientAddress,
    /// The form's one-time id.
    pub form_id: Uuid,
}

/// A key with its secret, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// The key.
    pub key: ApiKey,
    /// The secret, now and never again.
    pub secret: Secret,
    /// For the command to try it: the server's public address, where it knows one.
    pub origin: Option<String>,
    /// Who refuses the old secret, where there was one and there are replicas.
    pub receipt: Option<Propagation>,
}
