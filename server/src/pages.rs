//! Pages, server functions, sign-in and sign-out.

pub(crate) mod account_forms;
pub(crate) mod audit_export;
mod form;
pub(crate) mod group_forms;
pub(crate) mod home;
pub(crate) mod key_forms;
pub(crate) mod page_reports;
pub(crate) mod password;
pub(crate) mod render;
pub(crate) mod server_functions;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
mod submitted_form;
mod wait;
