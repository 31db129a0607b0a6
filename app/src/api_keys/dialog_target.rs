//! The dialog that a URL opens over the list.

use serde::{Deserialize, Serialize};

use super::list_query::ListQuery;
use crate::urls::{self, TenantQuery};

/// A dialog of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DialogKind {
    /// Edits name, description, group and allowlist.
    Edit,
    /// Rotates the secret.
    Rotate,
    /// Revokes the key.
    Revoke,
}

/// The path of each dialog below that of the list.
pub const DIALOGS: &[&str] = &["/{id}/edit", "/{id}/rotate", "/{id}/revoke", "/revoke"];

/// The path of the dialog that revokes several keys. The parameter [`IDS`] names them, once for each.
pub const REVOKE_KEYS: &str = "/tenant-api-keys/revoke";
/// The parameter with a key's id, and the name of the check boxes.
pub const IDS: &str = "ids";
/// The id of the link that opens that dialog.
pub const REVOKE_SELECTED_LINK: &str = "revoke-selected-link";

/// The URL of the dialog that revokes the keys with these ids, over the same list.
#[must_use]
pub fn revoke_keys_path(query: &ListQuery, tenant: &TenantQuery, ids: &[String]) -> String {
    let mut url = query.url(tenant, REVOKE_KEYS);
    for id in ids {
        // An id consists of letters, digits and hyphens.
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(IDS);
        url.push('=');
        url.push_str(id);
    }
    url
}

impl DialogKind {
    /// Every dialog.
    pub const ALL: [Self; 3] = [Self::Edit, Self::Rotate, Self::Revoke];

    /// The last segment of the URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
        }
    }
}

/// The dialog that a URL opens over the list, with its key or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenTarget {
    /// A dialog of one key.
    Key(DialogTarget),
    /// The dialog that revokes the keys with these ids, not yet parsed.
    Keys(Vec<String>),
}

impl OpenTarget {
    /// Parses a path; `ids` are the values of the parameter [`IDS`].
    #[must_use]
    pub fn parse(path: &str, ids: impl FnOnce() -> Vec<String>) -> Option<Self> {
        if path == REVOKE_KEYS {
            return Some(Self::Keys(ids()));
        }
        DialogTarget::parse(path).map(Self::Key)
    }

    /// The id of the link that opens the dialog. The focus returns to it.
    #[must_use]
    pub fn opener_id(&self) -> String {
        match self {
            Self::Key(target) => target.opener_id(),
            Self::Keys(_) => REVOKE_SELECTED_LINK.to_owned(),
        }
    }
}

/// A dialog and its key, as the URL names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogTarget {
    /// The dialog.
    pub kind: DialogKind,
    /// The id of the key, not yet parsed.
    pub id: String,
}

impl DialogTarget {
    /// Parses a path such as `/tenant-api-keys/{id}/rotate`.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (id, word) = path
            .strip_prefix(urls::API_KEYS)?
            .strip_prefix('/')?
            .split_once('/')?;
        let kind = DialogKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)?;
        Some(Self {
            kind,
            id: id.to_owned(),
        })
    }

    /// The path that opens the dialog.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}/{}", urls::API_KEYS, self.id, self.kind.as_str())
    }

    /// The id of the link in the list that opens the dialog. The focus returns to it.
    #[must_use]
    pub fn opener_id(&self) -> String {
        format!("{}-{}", self.kind.as_str(), self.id)
    }
}
