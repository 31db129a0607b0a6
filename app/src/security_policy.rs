//! The security policy of a tenant: rules for all of its keys and users. A page without script.

pub mod actions;
mod allowlist;
pub mod form;

use domain::security_policy::form::SecurityPolicyForm;

use crate::error::AppError;

/// A submitted form that is shown again, which the server provides as context to the page that it renders in response.
#[derive(Clone, Debug)]
pub struct SubmittedPolicy {
    /// The typed values.
    pub form: SecurityPolicyForm,
    /// The version of the policy on which they are based.
    pub version: i64,
    /// The error; `None` if the form was only checked.
    pub error: Option<AppError>,
}
