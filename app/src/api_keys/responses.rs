//! The results of the server functions of the keys. Types only: the functions are in `server_fns.rs`.

use chrono::{DateTime, Utc};
use domain::{
    client_address::ClientAddress,
    group::AuthorizationGroup,
    id::KeyId,
    key::{
        ApiKey, KeyStatus,
        format::Secret,
        lifetime::{LifetimeDays, LifetimeRule},
        query::KeySummary,
    },
    propagation::Propagation,
    tenant::KeyQuota,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A page of the list, with the data of its header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// The keys, in the order of the rows.
    pub keys: Vec<ListedKey>,
    /// The rows of the table as HTML. Empty in the data of a page, which contains them in its table.
    pub rows: String,
    /// The position of the first key in the list, from 1.
    pub first: u64,
    /// The cursor of the next page; `None` at the end.
    pub next_cursor: Option<String>,
    /// The cursor of the previous page; `None` on the first one.
    pub previous_cursor: Option<String>,
    /// The numbers of keys.
    pub summary: KeySummary,
    /// Whether the tenant has no key and no authorization group that a key can have.
    pub needs_group: bool,
    /// The number of days within which a key "expires soon".
    pub soon_days: u32,
    /// The server's time.
    pub now: DateTime<Utc>,
}

/// The properties of a listed key that the browser uses besides its rendered row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedKey {
    /// The key.
    pub id: KeyId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: KeyStatus,
}

/// A key that a dialog changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The key.
    pub id: KeyId,
    /// Its name after the change.
    pub name: String,
    /// The propagation of the change, with replicas.
    pub receipt: Option<Propagation>,
}

/// A key, for a dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDetail {
    /// The key.
    pub key: ApiKey,
    /// The version of the key, for the check of an edit.
    pub version: i64,
    /// The tenant's rule for the expiration date.
    pub rule: LifetimeRule,
    /// The idempotency id of the dialog's form.
    pub form_id: Uuid,
    /// The server's time.
    pub now: DateTime<Utc>,
}

/// The keys that a dialog revokes together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedKeys {
    /// The ids from the URL.
    pub ids: Vec<String>,
    /// The keys, each once.
    pub keys: Vec<ApiKey>,
    /// The idempotency id of the dialog's form.
    pub form_id: Uuid,
    /// The server's time.
    pub now: DateTime<Utc>,
}

/// The data of the edit dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditContext {
    /// The key.
    pub detail: KeyDetail,
    /// The data of its form.
    pub form: KeyFormContext,
}

/// The outcome of an edit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Edited {
    /// The edit is saved. Contains its propagation if there are replicas.
    Saved(Option<Propagation>),
    /// Another user changed the key since the dialog was opened. Nothing was saved.
    Conflict(Box<Conflict>),
}

/// A key as another user changed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The name of that user.
    pub by: Option<String>,
    /// The key.
    pub key: ApiKey,
    /// The version of the key.
    pub version: i64,
}

/// The data of a key's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFormContext {
    /// The groups that can be selected, by name.
    pub groups: Vec<AuthorizationGroup>,
    /// The tenant's key quota.
    pub usage: KeyQuota,
    /// The server's time; its date is the base of validation.
    pub now: DateTime<Utc>,
    /// The client's address.
    pub client: ClientAddress,
    /// The tenant's rule for the expiration date.
    pub rule: LifetimeRule,
    /// The lifetime that the form suggests.
    pub default_lifetime: Option<LifetimeDays>,
    /// The idempotency id of the form.
    pub form_id: Uuid,
}

/// A key with its new secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// The key.
    pub key: ApiKey,
    /// The secret. It is never returned again.
    pub secret: Secret,
    /// Scheme and host for the curl command, if the server can determine them.
    pub origin: Option<String>,
    /// The propagation of the change, for a rotation with replicas.
    pub receipt: Option<Propagation>,
}
