//! The claims of the ID token and of the userinfo endpoint, and the person that they name.

use chrono::{DateTime, Utc};
use domain::{store::single_sign_on::SsoPerson, user::Role};
use openidconnect::{
    AdditionalClaims, EndUserEmail, IdTokenClaims, UserInfoClaims, core::CoreGenderClaim,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::SsoSettings;

/// Every claim that the standard does not name.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct AllClaims {
    #[serde(flatten)]
    claims: Map<String, Value>,
}

impl AdditionalClaims for AllClaims {}

/// The claims that matter, of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    email: Option<(String, bool)>,
    name: Option<String>,
    more: Map<String, Value>,
}

impl Claims {
    pub(super) fn of_token(claims: &IdTokenClaims<AllClaims, CoreGenderClaim>) -> Self {
        Self {
            email: claims
                .email()
                .map(|email| (text(email), claims.email_verified() == Some(true))),
            name: (claims.name())
                .and_then(|name| name.get(None))
                .map(|name| name.as_str().to_owned()),
            more: claims.additional_claims().claims.clone(),
        }
    }

    pub(super) fn of_user_info(claims: &UserInfoClaims<AllClaims, CoreGenderClaim>) -> Self {
        Self {
            email: claims
                .email()
                .map(|email| (text(email), claims.email_verified() == Some(true))),
            name: (claims.name())
                .and_then(|name| name.get(None))
                .map(|name| name.as_str().to_owned()),
            more: claims.additional_claims().claims.clone(),
        }
    }

    /// Whether a claim is missing that the settings need.
    pub(super) fn is_incomplete(&self, settings: &SsoSettings) -> bool {
        let lacks = |claim: &Option<String>| {
            claim
                .as_ref()
                .is_some_and(|name| find(&self.more, name).is_none())
        };
        // A missing name is no reason to ask: a user that is made gets one from the address.
        self.email.is_none()
            || lacks(&settings.rules.tenant_claim)
            || lacks(&settings.rules.role_claim)
    }

    /// Adds what is missing from `other`. The address and its verification stay together.
    pub(super) fn complete_from(self, other: Self, settings: &SsoSettings) -> Self {
        let mut more = self.more;
        let names = [&settings.rules.tenant_claim, &settings.rules.role_claim];
        for name in names.into_iter().flatten() {
            if find(&more, name).is_none()
                && let Some(value) = find(&other.more, name)
            {
                // Under the setting's own spelling, which `find` tries first.
                more.insert(name.clone(), value.clone());
            }
        }
        Self {
            email: self.email.or(other.email),
            name: self.name.or(other.name),
            more,
        }
    }

    /// The person that the claims name.
    pub(super) fn person(
        &self,
        settings: &SsoSettings,
        subject: String,
        authenticated_at: Option<DateTime<Utc>>,
    ) -> SsoPerson {
        let claim = |name: &Option<String>| {
            let name = name.as_ref()?;
            find(&self.more, name)
        };
        SsoPerson {
            issuer: settings.issuer.to_string(),
            subject,
            email: self
                .email
                .as_ref()
                .and_then(|(email, _)| email.parse().ok()),
            is_email_verified: self.email.as_ref().is_some_and(|(_, verified)| *verified),
            name: self.name.clone(),
            tenant: claim(&settings.rules.tenant_claim).and_then(one_text),
            role: claim(&settings.rules.role_claim).and_then(|values| role(settings, values)),
            authenticated_at,
        }
    }
}

fn text(email: &EndUserEmail) -> String {
    email.as_str().to_owned()
}

/// A claim by its name, or by a JSON pointer such as `/realm_access/roles`.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = match name.strip_prefix('/')?.split_once('/') {
        Some((first, rest)) => (first, format!("/{rest}")),
        None => (name.strip_prefix('/')?, String::new()),
    };
    claims.get(first)?.pointer(&rest)
}

/// The text of the claim, or of its only element.
fn one_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => match values.as_slice() {
            [Value::String(text)] => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The role of the first entry of the map that is among the values.
fn role(settings: &SsoSettings, values: &Value) -> Option<Role> {
    let has = |wanted: &str| match values {
        Value::String(text) => text == wanted,
        Value::Array(values) => values.iter().any(|value| value.as_str() == Some(wanted)),
        _ => false,
    };
    let entry = settings.role_map.iter().find(|(value, _)| has(value));
    // The settings refuse the role; a claim must never make a super user.
    entry
        .map(|(_, role)| *role)
        .filter(|role| *role != Role::SuperUser)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: &Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_claim_is_found_by_name_and_by_pointer() {
        let claims = claims(&json!({
            "https://acme.example/roles": ["a"],
            "realm_access": { "roles": ["b"] },
        }));
        let found = |name: &str| find(&claims, name).cloned();
        assert_eq!(found("https://acme.example/roles"), Some(json!(["a"])));
        assert_eq!(found("/realm_access/roles"), Some(json!(["b"])));
        assert_eq!(found("/realm_access"), Some(json!({ "roles": ["b"] })));
        for missing in [
            "roles",
            "realm_access.roles",
            "/realm_access/roles/9",
            "/",
            "",
        ] {
            assert_eq!(found(missing), None, "{missing}");
        }
    }

    #[test]
    fn a_tenant_is_one_text() {
        assert_eq!(one_text(&json!("acme")).as_deref(), Some("acme"));
        assert_eq!(one_text(&json!(["acme"])).as_deref(), Some("acme"));
        for ambiguous in [json!(["acme", "globex"]), json!([]), json!(7), json!(null)] {
            assert_eq!(one_text(&ambiguous), None, "{ambiguous}");
        }
    }
}
