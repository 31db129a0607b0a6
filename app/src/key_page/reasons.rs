//! The codes of refusals with their HTTP status and their reason as a sentence.

use http::StatusCode;

/// The HTTP status of a refusal with `code`, as listed in section 4 of `docs/behaviour.md`.
pub(super) fn status(code: &str) -> StatusCode {
    match code {
        "tenant_suspended" | "ip_not_allowed" | "wrong_tenant" | "missing_permission" => {
            StatusCode::FORBIDDEN
        }
        _ => StatusCode::UNAUTHORIZED,
    }
}

/// The reason as a sentence without its full stop.
pub(super) fn sentence(code: &str) -> &'static str {
    match code {
        "revoked_api_key" => "The key is revoked",
        "expired_api_key" => "The key has expired",
        "tenant_suspended" => "The tenant is suspended",
        "ip_not_allowed" => "The address is not in the allowlist",
        "wrong_tenant" => "The gateway requires a key of another tenant",
        "missing_permission" => "The group lacks the required permission",
        _ => "The request was refused",
    }
}
