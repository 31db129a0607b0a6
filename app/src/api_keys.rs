//! The keys of a tenant.
//!
//! | question | room |
//! | --- | --- |
//! | which keys, how many, which dialog is open? | [`list`], [`header`], [`pager`] |
//! | search, filters | [`filters`] |
//! | what does the table show of a key? | [`table`] |
//! | what does the URL ask the list for? | [`list_query`], [`dialog_target`] |
//! | the form that makes a key | [`generate`], [`form_state`], [`form_summary`], [`key_fields`], [`allowlist_field`] |
//! | the dialogs | [`edit`], [`rotate`], [`revoke`], [`closing`] |
//! | a form that was sent without a script | [`refused`], [`one_time_field`] |
//! | the one place that shows a secret | [`secret_modal`] |
//! | what do they ask the server for? | [`server_fns`] |
//! | what does the server do then? (feature `ssr`) | `actions`, `secret_page` |

#[cfg(feature = "ssr")]
pub mod actions;
pub mod allowlist_field;
pub mod change;
pub mod closing;
pub mod date_input;
pub mod dialog_target;
pub mod edit;
pub mod filters;
pub mod form_state;
pub mod form_summary;
pub mod generate;
pub mod header;
pub mod key_fields;
pub mod list;
pub mod list_query;
pub mod one_time_field;
pub mod pager;
pub mod refused;
pub mod revoke;
pub mod rotate;
pub mod secret_modal;
#[cfg(feature = "ssr")]
pub mod secret_page;
pub mod server_fns;
pub mod table;
