//! The columns of the table of keys.

use domain::key::query::KeySortColumn;

#[cfg(feature = "ssr")]
use {
    super::cells::{self, RowContext},
    domain::key::ApiKey,
    leptos::prelude::AnyView,
};

/// A column of the table.
pub(super) struct Column {
    /// Its class, which sets its width in `style/table.css`; columns without a rule there share the remaining width.
    pub class: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Its label in the narrow table, where a row is a card. `None` if the content needs no label.
    #[cfg(feature = "ssr")]
    pub label: Option<&'static str>,
    /// The order that a click on the heading requests. `None` if the column is not sortable.
    pub sort: Option<KeySortColumn>,
    /// The content of a cell, which the server renders.
    #[cfg(feature = "ssr")]
    pub cell: fn(&ApiKey, &RowContext<'_>) -> AnyView,
    /// The widths, in pixels, of the placeholder bars while the list is loading.
    pub skeleton: &'static [&'static str],
}

/// The class of the column with the check boxes.
pub(super) const SELECT: &str = "col-select";

/// The columns, from left to right. Heading, rows, placeholders and the width of an empty table are derived from this list.
pub(super) const COLUMNS: &[Column] = &[
    Column {
        class: SELECT,
        title: "",
        #[cfg(feature = "ssr")]
        label: None,
        sort: None,
        #[cfg(feature = "ssr")]
        cell: cells::check,
        skeleton: &[],
    },
    Column {
        class: "col-name",
        title: "Name",
        #[cfg(feature = "ssr")]
        label: None,
        sort: Some(KeySortColumn::Name),
        #[cfg(feature = "ssr")]
        cell: cells::name,
        skeleton: &["180", "240"],
    },
    Column {
        class: "col-status",
        title: "Status",
        #[cfg(feature = "ssr")]
        label: None,
        sort: Some(KeySortColumn::Status),
        #[cfg(feature = "ssr")]
        cell: cells::status,
        skeleton: &["64"],
    },
    Column {
        class: "col-group",
        title: "Authorization group",
        #[cfg(feature = "ssr")]
        label: Some("Group"),
        sort: Some(KeySortColumn::AuthorizationGroup),
        #[cfg(feature = "ssr")]
        cell: cells::group,
        skeleton: &["110"],
    },
    Column {
        class: "col-expires",
        title: "Expires",
        #[cfg(feature = "ssr")]
        label: Some("Expires"),
        sort: Some(KeySortColumn::ExpiresOn),
        #[cfg(feature = "ssr")]
        cell: cells::expires,
        skeleton: &["84"],
    },
    Column {
        class: "col-used",
        title: "Last used",
        #[cfg(feature = "ssr")]
        label: Some("Last used"),
        sort: Some(KeySortColumn::LastUsedAt),
        #[cfg(feature = "ssr")]
        cell: cells::used,
        skeleton: &["80"],
    },
    Column {
        class: "col-created",
        title: "Created",
        #[cfg(feature = "ssr")]
        label: Some("Created"),
        sort: Some(KeySortColumn::CreatedAt),
        #[cfg(feature = "ssr")]
        cell: cells::created,
        skeleton: &["84"],
    },
    Column {
        class: "col-actions",
        title: "Actions",
        #[cfg(feature = "ssr")]
        label: None,
        sort: None,
        #[cfg(feature = "ssr")]
        cell: cells::actions,
        skeleton: &[],
    },
];
