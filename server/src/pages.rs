//! Pages, server functions, sign-in and sign-out.

pub(crate) mod account_forms;
pub(crate) mod audit_export;
mod form;
pub(crate) mod group_forms;
pub(crate) mod home;
pub(crate) mod key_forms;
pub(crate) mod one_time_links;
pub(crate) mod page_reports;
pub(crate) mod password;
mod plain_page;
pub(crate) mod render;
pub(crate) mod second_factor_forms;
pub(crate) mod second_step;
pub(crate) mod security_policy_form;
pub(crate) mod server_functions;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod single_sign_on;
mod submitted_form;
pub(crate) mod tenant_forms;
pub(crate) mod user_forms;
mod wait;
