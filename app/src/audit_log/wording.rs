//! Audit events in words: sentences for actions, labels for fields, and texts for values.

use domain::{
    actor::{ActorKind, ActorRef},
    audit::{AuditAction, AuditEvent},
};
use serde_json::Value;

use crate::words;

/// A part of the sentence of an event. Names are emphasised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Plain text.
    Text(String),
    /// A name.
    Name(String),
}

/// A changed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field, e.g. `IP Allowlist`.
    pub label: String,
    /// The value before; `None` if there was none.
    pub before: Option<String>,
    /// The value after; `None` if there is none.
    pub after: Option<String>,
}

/// The action in the infinitive, for the filter.
#[must_use]
pub const fn action_label(action: AuditAction) -> &'static str {
    match action {
        AuditAction::ApiKeyCreated => "Key generated",
        AuditAction::ApiKeyUpdated => "Key edited",
        AuditAction::ApiKeyRotated => "Key rotated",
        AuditAction::ApiKeyRevoked => "Key revoked",
        AuditAction::GroupCreated => "Group created",
        AuditAction::GroupPermissionsChanged => "Group’s permissions changed",
        AuditAction::GroupRenamed => "Group renamed",
        AuditAction::GroupDeleted => "Group deleted",
        AuditAction::TenantCreated => "Tenant created",
        AuditAction::TenantLimitChanged => "Key limit changed",
        AuditAction::TenantRenamed => "Tenant renamed",
        AuditAction::TenantSuspended => "Tenant suspended",
        AuditAction::TenantResumed => "Tenant resumed",
        AuditAction::SecurityPolicyChanged => "Security policy changed",
        AuditAction::UserCreated => "User created",
        AuditAction::UserPasswordChanged => "Password changed",
        AuditAction::UserRenamed => "User renamed",
        AuditAction::UserSessionsEnded => "Sessions ended",
        AuditAction::UserSsoLinked => "Single sign-on linked",
        AuditAction::UserSsoUnlinked => "Single sign-on unlinked",
        AuditAction::SecondFactorEnabled => "Second factor turned on",
        AuditAction::SecondFactorDisabled => "Second factor turned off",
        AuditAction::RecoveryCodesReplaced => "Recovery codes replaced",
        AuditAction::RecoveryCodeUsed => "Recovery code used",
        AuditAction::SecondFactorReset => "Second factor reset",
        AuditAction::UserDisabled => "User disabled",
        AuditAction::UserEnabled => "User enabled",
        AuditAction::UserRoleChanged => "Role changed",
        AuditAction::UserInvited => "User invited",
        AuditAction::InvitationWithdrawn => "Invitation withdrawn",
        AuditAction::PasswordLinkCreated => "Password link created",
        AuditAction::SignInLinkCreated => "Sign-in link created",
        AuditAction::LinkRefused => "Link refused",
        AuditAction::SignedIn => "Signed in",
        AuditAction::SignedOut => "Signed out",
        AuditAction::SignInRefused => "Sign-ins refused",
    }
}

/// The icon of an action in `components/icons.svg`.
#[must_use]
pub const fn icon(action: AuditAction) -> &'static str {
    match action {
        AuditAction::ApiKeyCreated | AuditAction::TenantCreated => "plus",
        AuditAction::ApiKeyUpdated => "pencil",
        AuditAction::ApiKeyRotated => "rotate",
        AuditAction::ApiKeyRevoked => "trash",
        AuditAction::GroupCreated
        | AuditAction::GroupPermissionsChanged
        | AuditAction::GroupRenamed
        | AuditAction::GroupDeleted => "shield",
        AuditAction::TenantLimitChanged
        | AuditAction::TenantRenamed
        | AuditAction::TenantResumed => "building",
        AuditAction::SecurityPolicyChanged => "policy",
        AuditAction::TenantSuspended | AuditAction::SignInRefused | AuditAction::LinkRefused => {
            "alert"
        }
        AuditAction::UserCreated
        | AuditAction::UserPasswordChanged
        | AuditAction::UserRenamed
        | AuditAction::SecondFactorEnabled
        | AuditAction::SecondFactorDisabled
        | AuditAction::RecoveryCodesReplaced
        | AuditAction::RecoveryCodeUsed
        | AuditAction::SecondFactorReset
        | AuditAction::UserDisabled
        | AuditAction::UserEnabled
        | AuditAction::UserRoleChanged
        | AuditAction::UserSsoLinked
        | AuditAction::UserSsoUnlinked
        | AuditAction::UserInvited
        | AuditAction::InvitationWithdrawn
        | AuditAction::PasswordLinkCreated
        | AuditAction::SignInLinkCreated => "user",
        AuditAction::SignedIn | AuditAction::SignedOut | AuditAction::UserSessionsEnded => "exit",
    }
}

/// The actor at the beginning of a sentence.
fn actor(actor: &ActorRef) -> Vec<Piece> {
    match actor.kind {
        ActorKind::Cli => vec![Piece::Text("An operator at the command line".to_owned())],
        ActorKind::ApiKey => vec![
            Piece::Text("Key ".to_owned()),
            Piece::Name(actor.name.clone()),
        ],
        ActorKind::User => vec![Piece::Name(actor.name.clone())],
    }
}

/// The sentence of the event.
#[must_use]
pub fn sentence(event: &AuditEvent) -> Vec<Piece> {
    let name = || Piece::Name(event.target.name.clone());
    let text = |text: &str| Piece::Text(text.to_owned());
    let is_own = event.actor.id.is_some() && event.actor.id == event.target.id;
    if event.action == AuditAction::SignInRefused {
        let mut pieces = vec![text("Refused sign-ins for "), name()];
        if let Some(count) = event.changes["failures"]["after"].as_u64() {
            pieces.push(Piece::Text(format!(": {count}")));
        }
        return pieces;
    }
    if event.action == AuditAction::LinkRefused {
        return vec![text("Refused the link of "), name()];
    }
    let mut pieces = actor(&event.actor);
    let rest = match event.action {
        AuditAction::ApiKeyCreated => vec![text(" generated "), name()],
        AuditAction::ApiKeyUpdated => vec![text(" edited "), name()],
        AuditAction::ApiKeyRotated if is_own => vec![text(" rotated its own secret")],
        AuditAction::ApiKeyRotated => vec![text(" rotated the secret of "), name()],
        AuditAction::ApiKeyRevoked => vec![text(" revoked "), name()],
        AuditAction::GroupCreated => vec![text(" created the group "), name()],
        AuditAction::GroupPermissionsChanged => vec![text(" changed the group "), name()],
        AuditAction::GroupRenamed => vec![text(" renamed the group "), name()],
        AuditAction::GroupDeleted => vec![text(" deleted the group "), name()],
        AuditAction::TenantCreated => vec![text(" created the tenant "), name()],
        AuditAction::TenantLimitChanged => vec![text(" changed the key limit of "), name()],
        AuditAction::TenantRenamed => vec![text(" renamed the tenant "), name()],
        AuditAction::TenantSuspended => vec![text(" suspended the tenant "), name()],
        AuditAction::TenantResumed => vec![text(" resumed the tenant "), name()],
        AuditAction::UserCreated if is_own => vec![text(" signed in for the first time")],
        AuditAction::SecurityPolicyChanged => {
            vec![text(" changed the security policy of "), name()]
        }
        AuditAction::UserCreated => vec![text(" created the user "), name()],
        AuditAction::UserPasswordChanged if is_own => vec![text(" changed their own password")],
        AuditAction::UserPasswordChanged => vec![text(" changed the password of "), name()],
        AuditAction::UserRenamed if is_own => vec![text(" changed their own name")],
        AuditAction::UserRenamed => vec![text(" renamed "), name()],
        AuditAction::UserSessionsEnded if is_own => vec![text(" signed out elsewhere")],
        AuditAction::UserSessionsEnded => vec![text(" ended the sessions of "), name()],
        AuditAction::UserRoleChanged if is_own => vec![text(" got another role by single sign-on")],
        AuditAction::UserSsoLinked if is_own => vec![text(" linked their single sign-on")],
        AuditAction::UserSsoLinked => vec![text(" linked the single sign-on of "), name()],
        AuditAction::UserSsoUnlinked => vec![text(" unlinked the single sign-on of "), name()],
        AuditAction::SecondFactorEnabled => vec![text(" turned their second factor on")],
        AuditAction::SecondFactorDisabled => vec![text(" turned their second factor off")],
        AuditAction::RecoveryCodesReplaced => vec![text(" replaced their recovery codes")],
        AuditAction::RecoveryCodeUsed => vec![text(" signed in with a recovery code")],
        AuditAction::SecondFactorReset => vec![text(" reset the second factor of "), name()],
        AuditAction::UserDisabled => vec![text(" disabled "), name()],
        AuditAction::UserEnabled => vec![text(" enabled "), name()],
        AuditAction::UserRoleChanged => vec![text(" changed the role of "), name()],
        AuditAction::UserInvited => vec![text(" invited "), name()],
        AuditAction::InvitationWithdrawn => vec![text(" withdrew the invitation of "), name()],
        AuditAction::PasswordLinkCreated => vec![text(" created a password link for "), name()],
        AuditAction::SignInLinkCreated => vec![text(" created a sign-in link for "), name()],
        AuditAction::SignedIn => vec![text(" signed in")],
        AuditAction::SignedOut => vec![text(" signed out")],
        AuditAction::SignInRefused | AuditAction::LinkRefused => vec![],
    };
    pieces.extend(rest);
    pieces
}

/// The sentence without emphasis.
#[must_use]
pub fn sentence_text(event: &AuditEvent) -> String {
    let pieces = sentence(event).into_iter();
    pieces
        .map(|piece| match piece {
            Piece::Text(text) | Piece::Name(text) => text,
        })
        .collect()
}

/// The changed fields, in the order in which a form shows them.
#[must_use]
pub fn changes(event: &AuditEvent) -> Vec<Change> {
    let Some(fields) = event.changes.as_object() else {
        return Vec::new();
    };
    let mut changes: Vec<_> = fields
        .iter()
        .map(|(field, change)| {
            let read = |side: &str| change.get(side).and_then(|value| value_text(field, value));
            let after = read("after");
            let change = Change {
                label: label(field),
                // A new key without a date reads "Never" before and after.
                before: read("before").filter(|before| Some(before) != after.as_ref()),
                after,
            };
            (position(field), change)
        })
        // A field that is empty before and after is left out.
        .filter(|(_, change)| change.before.is_some() || change.after.is_some())
        .collect();
    changes.sort_by_key(|(position, _)| *position);
    changes.into_iter().map(|(_, change)| change).collect()
}

const FIELDS: &[(&str, &str)] = &[
    ("status", "Status"),
    ("reason", "Reason"),
    ("revoked_reason", "Reason"),
    ("name", "Name"),
    ("slug", "Slug"),
    ("email", "Email"),
    ("role", "Role"),
    ("tenant", "Tenant"),
    ("description", "Description"),
    ("type", "Type"),
    ("authorization_group", "Authorization Group"),
    ("permissions", "Permissions"),
    ("hint", "Secret"),
    ("expires_on", "Expiration Date"),
    ("expiration_required", "Expiration date required"),
    ("max_lifetime_days", "Longest lifetime in days"),
    ("default_lifetime_days", "Preselected lifetime in days"),
    ("ip_allowlist", "IP Allowlist"),
    ("authentication", "Authentication"),
    ("issuer", "Provider"),
    ("subject", "Subject"),
    ("second_factor_required", "Second factor required"),
    ("key_limit", "Key limit"),
    ("suspended_at", "Suspended since"),
    ("disabled_at", "Disabled since"),
    ("valid_until", "Valid until"),
    ("invited_by", "Invited by"),
    ("purpose", "Purpose"),
    ("by_link", "By link"),
    ("deleted_at", "Deleted"),
    ("failures", "Failures"),
];

fn position(field: &str) -> usize {
    let known = FIELDS.iter().position(|(name, _)| *name == field);
    known.unwrap_or(FIELDS.len())
}

fn label(field: &str) -> String {
    match FIELDS.iter().find(|(name, _)| *name == field) {
        Some((_, label)) => (*label).to_owned(),
        None => {
            let words = field.replace('_', " ");
            let mut letters = words.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(letters).collect()
            })
        }
    }
}

/// A value as text; `None` for an absent one.
fn value_text(field: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => match field {
            "expires_on" => Some("Never".to_owned()),
            _ => None,
        },
        Value::Array(items) if items.is_empty() => match field {
            "ip_allowlist" => Some("any address".to_owned()),
            _ => Some("none".to_owned()),
        },
        Value::Array(items) => {
            let texts: Vec<_> = items
                .iter()
                .filter_map(|item| value_text("", item))
                .collect();
            Some(texts.join(", "))
        }
        Value::Object(object) => match object.get("name") {
            Some(Value::String(name)) => Some(name.clone()),
            _ => Some(value.to_string()),
        },
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(match (field, text.as_str()) {
            ("status", "active") => "Active".to_owned(),
            ("status", "revoked") => "Revoked".to_owned(),
            ("expires_on", _) => text.parse().map_or_else(|_| text.clone(), words::date),
            _ => text.clone(),
        }),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::Number(number) => Some(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_expiry_is_written_in_words() {
        let text = |value: Value| value_text("expires_on", &value);
        assert_eq!(text("2027-08-01".into()).as_deref(), Some("1 Aug 2027"));
        assert_eq!(text(Value::Null).as_deref(), Some("Never"));
    }
}
