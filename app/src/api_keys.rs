//! The keys of a tenant: the list page, the form that creates a key, and the dialogs.
//!
//! | topic | module |
//! | --- | --- |
//! | the list page with its dialogs | [`list`], [`list_header`], [`pager`], [`selection`], [`empty_list`] |
//! | search and filters | [`filters`] |
//! | the table and its columns | [`table`], `columns` |
//! | the rows, which only the server renders (feature `ssr`) | `rows`, `cells`, `sparkline` |
//! | the query of the URL: filters, order, dialog | [`list_query`], [`dialog_target`] |
//! | the form that creates a key | [`generate`], [`form_state`], [`form_summary`], [`key_fields`], [`allowlist_field`], [`allowlist_preview`], [`expiry_help`], [`unsaved_text`] |
//! | the dialogs | [`edit`], [`conflict_notice`], [`rotate`], [`revoke`], [`revoke_many`], [`pending_dialog`], [`dialog_parts`], [`dialog_close`], [`date_input`], [`reason_field`] |
//! | sending a change to the server | [`submission`], [`server_fns`], [`responses`] |
//! | forms sent without a script | [`rejected_form`], [`idempotency_field`] |
//! | showing a secret | [`secret_facts`], [`secret_modal`]; without a script `secret_page` |
//! | request handling on the server (feature `ssr`) | `actions`, `list_request` |

#[cfg(feature = "ssr")]
pub mod actions;
pub mod allowlist_field;
pub mod allowlist_preview;
#[cfg(feature = "ssr")]
mod cells;
mod columns;
pub mod conflict_notice;
pub mod date_input;
pub mod dialog_close;
pub mod dialog_parts;
pub mod dialog_target;
pub mod edit;
pub mod empty_list;
pub mod expiry_help;
pub mod filters;
pub mod form_state;
pub mod form_summary;
pub mod generate;
pub mod idempotency_field;
pub mod key_fields;
pub mod list;
pub mod list_header;
pub mod list_query;
#[cfg(feature = "ssr")]
mod list_request;
pub mod pager;
pub mod pending_dialog;
pub mod reason_field;
pub mod rejected_form;
pub mod responses;
pub mod revoke;
pub mod revoke_many;
pub mod rotate;
#[cfg(feature = "ssr")]
mod rows;
pub mod secret_facts;
pub mod secret_modal;
#[cfg(feature = "ssr")]
pub mod secret_page;
pub mod selection;
pub mod server_fns;
#[cfg(feature = "ssr")]
mod sparkline;
pub mod submission;
pub mod table;
pub mod unsaved_text;
