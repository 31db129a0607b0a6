//! The keys of a tenant.
//!
//! | question | room |
//! | --- | --- |
//! | which keys, how many, which dialog is open? | [`list`] |
//! | what does the table show of a key? | [`table`] |
//! | what does the URL ask the list for? | [`list_query`], [`dialog_target`] |
//! | the form that makes a key | [`generate`], [`form_state`], [`key_fields`], [`allowlist_field`] |
//! | the dialogs | [`rotate`], [`revoke`] |
//! | the one place that shows a secret | [`secret_modal`] |
//! | what do they ask the server for? | [`server_fns`] |

pub mod allowlist_field;
pub mod date_input;
pub mod dialog_target;
pub mod form_state;
pub mod generate;
pub mod header;
pub mod key_fields;
pub mod list;
pub mod list_query;
pub mod revoke;
pub mod rotate;
pub mod secret_modal;
pub mod server_fns;
pub mod table;
