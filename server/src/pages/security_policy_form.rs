//! The form of the security policy: a plain form, which works without a script.
//!
//! It carries no idempotency key: a repeat is refused because its version is old.

use app::{
    done::Done,
    security_policy::{SubmittedPolicy, actions},
    urls,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::security_policy::form::SecurityPolicyForm;
use serde::Deserialize;
use std::net::IpAddr;

use super::submitted_form::{Button, LINE_BREAK, SubmittedForm};
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyForm {
    version: i64,
    /// A browser sends a checkbox only if it is checked.
    expiration_required: Option<String>,
    max_lifetime_days: String,
    default_lifetime_days: String,
    ip_allowlist: String,
    second_factor_required: Option<String>,
    #[serde(rename = "action")]
    button: Option<Button>,
    /// The address that the pressed button adds to the list.
    add: Option<IpAddr>,
}

/// `POST /security-policy`
pub(crate) async fn save(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<PolicyForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let mut form = SecurityPolicyForm {
        expiration_required: fields.expiration_required.is_some(),
        max_lifetime_days: fields.max_lifetime_days,
        default_lifetime_days: fields.default_lifetime_days,
        ip_allowlist: fields.ip_allowlist.replace(LINE_BREAK, "\n"),
        second_factor_required: fields.second_factor_required.is_some(),
    };
    if let Some(address) = fields.add {
        let lines = form.ip_allowlist.trim_end().to_owned();
        let separator = if lines.is_empty() { "" } else { "\n" };
        form.ip_allowlist = format!("{lines}{separator}{address}");
    }
    let is_check = fields.add.is_some() || fields.button == Some(Button::Check);
    let version = fields.version;
    let tenant = submitted.tenant();
    let failure = if is_check {
        actions::check_access(&submitted.context, tenant)
            .await
            .err()
    } else {
        match actions::save(&submitted.context, tenant, version, &form).await {
            Ok(propagation) => {
                let page = submitted.tenant.url(urls::SECURITY_POLICY);
                return submitted.redirect(&page, Done::PolicySaved(propagation));
            }
            Err(error) => Some(error),
        }
    };
    let context = |error| SubmittedPolicy {
        form,
        version,
        error,
    };
    submitted.render_with(failure, context).await
}
