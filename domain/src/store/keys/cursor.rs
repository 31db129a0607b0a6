//! Cursors of the list of keys: the sorted value and the identifier of the key beside which a page begins or ends.

use chrono::{DateTime, NaiveDate};
use sea_orm::Value;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::row::KeyRow;
use crate::{
    Error,
    key::query::{KeySort, KeySortColumn},
    store::cursor,
};

/// The content of a cursor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// The order of the list, in the form of the parameter `sort`.
    sort: String,
    /// The side of the key on which the page lies.
    side: Side,
    /// The key's value in the sorted column; `None` if it has none.
    value: Option<String>,
    /// The key's identifier.
    id: Uuid,
    /// The position in the list, from 1, of the first key after the place.
    next: u64,
}

/// The side of a key on which a page lies, in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    /// The page begins after the key.
    After,
    /// The page ends before the key.
    Before,
}

/// A place in a sorted list, and the side of it on which a page lies.
pub(super) struct Place {
    /// The key at the place.
    pub(super) position: Position,
    /// The side of it on which the page lies.
    pub(super) side: Side,
    /// The position in the list, from 1, of the first key after the place.
    pub(super) next: u64,
}

/// The position of a key in a sorted list.
pub(super) struct Position {
    /// The key's value in the sorted column; `None` if it has none.
    pub(super) value: Option<Value>,
    /// The key's identifier.
    pub(super) id: Uuid,
}

/// The cursor of the page beside `key`. `next` is the position of the first key after the place.
pub(super) fn beside(key: &KeyRow, side: Side, next: u64, sort: KeySort) -> Result<String, Error> {
    let content = Content {
        sort: sort.to_parameter(),
        side,
        value: value_of(key, sort.column),
        id: key.id,
        next,
    };
    cursor::write(&content)
}

/// Decodes `cursor` for a list sorted by `sort`.
///
/// # Errors
/// [`Error::InvalidCursor`].
pub(super) fn read(cursor: &str, sort: KeySort) -> Result<Place, Error> {
    place(cursor::read(cursor)?, sort).ok_or(Error::InvalidCursor)
}

fn place(content: Content, sort: KeySort) -> Option<Place> {
    if content.sort != sort.to_parameter() {
        return None;
    }
    let value = match content.value {
        Some(text) => Some(read_value(&text, sort.column)?),
        None if can_be_empty(sort.column) => None,
        None => return None,
    };
    Some(Place {
        position: Position {
            value,
            id: content.id,
        },
        side: content.side,
        next: content.next,
    })
}

/// Whether keys can lack a value in this column.
const fn can_be_empty(column: KeySortColumn) -> bool {
    matches!(column, KeySortColumn::ExpiresOn | KeySortColumn::LastUsedAt)
}

fn value_of(row: &KeyRow, column: KeySortColumn) -> Option<String> {
    match column {
        KeySortColumn::Name => Some(row.name_lower.clone()),
        KeySortColumn::Status => Some(row.revoked_at.is_some().to_string()),
        KeySortColumn::AuthorizationGroup => Some(row.group_name_lower.clone()),
        KeySortColumn::ExpiresOn => row.expires_on.map(|date| date.to_string()),
        KeySortColumn::LastUsedAt => row
            .last_used_at
            .map(|time| time.timestamp_micros().to_string()),
        KeySortColumn::CreatedAt => Some(row.created_at.timestamp_micros().to_string()),
    }
}

fn read_value(text: &str, column: KeySortColumn) -> Option<Value> {
    match column {
        // PostgreSQL's text cannot contain a NUL, so no name does.
        KeySortColumn::Name | KeySortColumn::AuthorizationGroup => {
            (!text.contains('\0')).then(|| text.into())
        }
        KeySortColumn::Status => text.parse::<bool>().ok().map(Into::into),
        KeySortColumn::ExpiresOn => text
            .parse::<NaiveDate>()
            .ok()
            .filter(cursor::is_stored)
            .map(Into::into),
        KeySortColumn::LastUsedAt | KeySortColumn::CreatedAt => text
            .parse()
            .ok()
            .and_then(DateTime::from_timestamp_micros)
            .filter(cursor::is_stored)
            .map(Into::into),
    }
}
