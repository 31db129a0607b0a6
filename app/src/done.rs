//! A change that the next page confirms, as the value of a cookie: a word, an id and numbers. The page reads the name from the database, so
//! that a planted cookie cannot choose the text that the page shows.

use std::fmt::Write as _;

use domain::{
    id::{GroupId, KeyId, TenantId, UserId},
    propagation::Propagation,
};

use crate::{notice, words};

/// The name of the cookie.
pub const COOKIE: &str = "latchkey_done";
/// Its name over HTTPS.
pub const SECURE_COOKIE: &str = "__Host-latchkey_done";
/// The lifetime of the cookie, in seconds.
pub const MAX_AGE: u32 = 60;

/// The maximum length of a cookie's value.
const MAX_LENGTH: usize = 120;

/// A change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// A key was generated.
    Generated(KeyId),
    /// A key was edited.
    Saved(KeyId, Option<Propagation>),
    /// A key's secret was rotated.
    Rotated(KeyId),
    /// A key was revoked.
    Revoked(KeyId, Option<Propagation>),
    /// Keys were revoked together.
    RevokedMany(usize, Option<Propagation>),
    /// A group was created.
    GroupCreated(GroupId),
    /// A group was edited.
    GroupSaved(GroupId),
    /// A group was deleted.
    GroupDeleted,
    /// A tenant was created.
    TenantCreated(TenantId),
    /// A tenant's name or key limit was changed.
    TenantSaved(TenantId),
    /// A tenant was suspended.
    TenantSuspended(TenantId, Option<Propagation>),
    /// A suspension was ended.
    TenantResumed(TenantId, Option<Propagation>),
    /// The security policy was changed.
    PolicySaved(Option<Propagation>),
    /// The user's password was changed.
    PasswordChanged,
    /// The user's name was changed.
    NameSaved,
    /// This many other sessions of the user were ended.
    SessionsEnded(u64),
    /// The user's second factor was turned off.
    SecondFactorDisabled,
    /// The theme was chosen.
    ThemeSaved,
    /// A user got another role.
    RoleChanged(UserId),
    /// A user was disabled.
    UserDisabled(UserId),
    /// A user was enabled.
    UserEnabled(UserId),
    /// The sessions of a user were ended.
    UserSignedOut(UserId),
    /// An invitation was withdrawn.
    InvitationWithdrawn,
}

impl Done {
    /// The cookie's value.
    #[must_use]
    pub fn to_cookie(self) -> String {
        let (word, id, propagation) = match self {
            Self::Generated(id) => ("generated", id.to_string(), None),
            Self::Saved(id, propagation) => ("saved", id.to_string(), propagation),
            Self::Rotated(id) => ("rotated", id.to_string(), None),
            Self::Revoked(id, propagation) => ("revoked", id.to_string(), propagation),
            Self::RevokedMany(number, propagation) => {
                ("revoked-many", number.to_string(), propagation)
            }
            Self::GroupCreated(id) => ("group-created", id.to_string(), None),
            Self::GroupSaved(id) => ("group-saved", id.to_string(), None),
            Self::GroupDeleted => ("group-deleted", String::new(), None),
            Self::TenantCreated(id) => ("tenant-created", id.to_string(), None),
            Self::TenantSaved(id) => ("tenant-saved", id.to_string(), None),
            Self::TenantSuspended(id, propagation) => {
                ("tenant-suspended", id.to_string(), propagation)
            }
            Self::TenantResumed(id, propagation) => ("tenant-resumed", id.to_string(), propagation),
            Self::PolicySaved(propagation) => ("policy-saved", String::new(), propagation),
            Self::PasswordChanged => ("password-changed", String::new(), None),
            Self::NameSaved => ("name-saved", String::new(), None),
            Self::SessionsEnded(number) => ("sessions-ended", number.to_string(), None),
            Self::SecondFactorDisabled => ("second-factor-disabled", String::new(), None),
            Self::ThemeSaved => ("theme-saved", String::new(), None),
            Self::RoleChanged(id) => ("role-changed", id.to_string(), None),
            Self::UserDisabled(id) => ("user-disabled", id.to_string(), None),
            Self::UserEnabled(id) => ("user-enabled", id.to_string(), None),
            Self::UserSignedOut(id) => ("user-signed-out", id.to_string(), None),
            Self::InvitationWithdrawn => ("invitation-withdrawn", String::new(), None),
        };
        let mut text = format!("{word}.{id}");
        if let Some(propagation) = propagation {
            let Propagation {
                replicas,
                refused_on,
                after_ms,
            } = propagation;
            let _ = write!(text, ".{replicas}.{refused_on}.{after_ms}");
        }
        text
    }

    /// Parses a cookie's value. `None` if it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let mut parts = text.split('.');
        let (word, id) = (parts.next()?, parts.next()?);
        let numbers: Vec<&str> = parts.collect();
        let propagation = match numbers.as_slice() {
            [] => None,
            [replicas, refused_on, after_ms] => Some(Propagation {
                replicas: replicas.parse().ok()?,
                refused_on: refused_on.parse().ok()?,
                after_ms: after_ms.parse().ok()?,
            }),
            _ => return None,
        };
        Some(match word {
            "generated" => Self::Generated(id.parse().ok()?),
            "saved" => Self::Saved(id.parse().ok()?, propagation),
            "rotated" => Self::Rotated(id.parse().ok()?),
            "revoked" => Self::Revoked(id.parse().ok()?, propagation),
            "revoked-many" => Self::RevokedMany(id.parse().ok()?, propagation),
            "group-created" => Self::GroupCreated(id.parse().ok()?),
            "group-saved" => Self::GroupSaved(id.parse().ok()?),
            "group-deleted" => Self::GroupDeleted,
            "tenant-created" => Self::TenantCreated(id.parse().ok()?),
            "tenant-saved" => Self::TenantSaved(id.parse().ok()?),
            "tenant-suspended" => Self::TenantSuspended(id.parse().ok()?, propagation),
            "tenant-resumed" => Self::TenantResumed(id.parse().ok()?, propagation),
            "policy-saved" => Self::PolicySaved(propagation),
            "password-changed" => Self::PasswordChanged,
            "name-saved" => Self::NameSaved,
            "sessions-ended" => Self::SessionsEnded(id.parse().ok()?),
            "second-factor-disabled" => Self::SecondFactorDisabled,
            "theme-saved" => Self::ThemeSaved,
            "role-changed" => Self::RoleChanged(id.parse().ok()?),
            "user-disabled" => Self::UserDisabled(id.parse().ok()?),
            "user-enabled" => Self::UserEnabled(id.parse().ok()?),
            "user-signed-out" => Self::UserSignedOut(id.parse().ok()?),
            "invitation-withdrawn" => Self::InvitationWithdrawn,
            _ => return None,
        })
    }

    /// The tenant whose row is marked.
    #[must_use]
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::TenantCreated(id)
            | Self::TenantSaved(id)
            | Self::TenantSuspended(id, _)
            | Self::TenantResumed(id, _) => Some(id),
            _ => None,
        }
    }

    /// Whether the change concerns the tenant of the page, and not the user's own account or the list of tenants.
    #[must_use]
    pub const fn is_of_tenant(self) -> bool {
        !matches!(
            self,
            Self::PasswordChanged
                | Self::NameSaved
                | Self::SessionsEnded(_)
                | Self::ThemeSaved
                | Self::TenantCreated(_)
                | Self::TenantSaved(_)
                | Self::TenantSuspended(..)
                | Self::TenantResumed(..)
        )
    }

    /// The key whose row is marked.
    #[must_use]
    pub const fn key(self) -> Option<KeyId> {
        match self {
            Self::Generated(id) | Self::Saved(id, _) | Self::Rotated(id) | Self::Revoked(id, _) => {
                Some(id)
            }
            _ => None,
        }
    }

    /// The group whose row is marked.
    #[must_use]
    pub const fn group(self) -> Option<GroupId> {
        match self {
            Self::GroupCreated(id) | Self::GroupSaved(id) => Some(id),
            _ => None,
        }
    }

    /// The user whose row is marked.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::RoleChanged(id)
            | Self::UserDisabled(id)
            | Self::UserEnabled(id)
            | Self::UserSignedOut(id) => Some(id),
            _ => None,
        }
    }

    /// The sentence about the object with this name, if the change has one.
    #[must_use]
    pub(crate) fn sentence_about(self, name: &str) -> String {
        match self {
            Self::Generated(_) => notice::generated(name),
            Self::Saved(_, propagation) => notice::saved(name, propagation),
            Self::Rotated(_) => notice::rotated(name),
            Self::Revoked(_, propagation) => notice::revoked(name, propagation),
            Self::RevokedMany(number, propagation) => notice::revoked_many(number, propagation),
            Self::GroupCreated(_) | Self::TenantCreated(_) => format!("Created {name}."),
            Self::GroupSaved(_) | Self::TenantSaved(_) => format!("Saved {name}."),
            Self::TenantSuspended(_, propagation) => notice::suspended(name, propagation),
            Self::TenantResumed(_, propagation) => notice::resumed(name, propagation),
            Self::GroupDeleted => "The group was deleted. Its name is free.".to_owned(),
            Self::PolicySaved(propagation) => notice::saved("the security policy", propagation),
            Self::PasswordChanged => {
                "Password changed. You are signed out everywhere else.".to_owned()
            }
            Self::NameSaved => "Name saved.".to_owned(),
            Self::SessionsEnded(number) => {
                let sessions = words::count(number, "other session", "other sessions");
                format!("Signed out {sessions}.")
            }
            Self::SecondFactorDisabled => "The second factor is off.".to_owned(),
            Self::ThemeSaved => "Theme saved.".to_owned(),
            Self::RoleChanged(_) => format!("Changed the role of {name}."),
            Self::UserDisabled(_) => format!("Disabled {name}. The next request is refused."),
            Self::UserEnabled(_) => format!("Enabled {name}."),
            Self::UserSignedOut(_) => format!("Ended the sessions of {name}."),
            Self::InvitationWithdrawn => {
                "The invitation was withdrawn. Its link is refused.".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_survives_its_cookie_and_other_values_are_ignored() {
        let key: KeyId = "0198f000-0000-7000-8000-000000000001"
            .parse()
            .expect("an id");
        let group: GroupId = "0198f000-0000-7000-8000-000000000002"
            .parse()
            .expect("an id");
        let tenant: TenantId = "0198f000-0000-7000-8000-000000000003"
            .parse()
            .expect("an id");
        let user: UserId = "0198f000-0000-7000-8000-000000000004"
            .parse()
            .expect("an id");
        let propagation = Some(Propagation {
            replicas: 3,
            refused_on: 2,
            after_ms: 12,
        });
        for done in [
            Done::Generated(key),
            Done::Saved(key, None),
            Done::Saved(key, propagation),
            Done::Rotated(key),
            Done::Revoked(key, propagation),
            Done::RevokedMany(7, propagation),
            Done::GroupCreated(group),
            Done::GroupSaved(group),
            Done::GroupDeleted,
            Done::TenantCreated(tenant),
            Done::TenantSaved(tenant),
            Done::TenantSuspended(tenant, propagation),
            Done::TenantResumed(tenant, None),
            Done::PolicySaved(None),
            Done::PolicySaved(propagation),
            Done::PasswordChanged,
            Done::NameSaved,
            Done::SessionsEnded(2),
            Done::SecondFactorDisabled,
            Done::ThemeSaved,
            Done::RoleChanged(user),
            Done::UserDisabled(user),
            Done::UserEnabled(user),
            Done::UserSignedOut(user),
            Done::InvitationWithdrawn,
        ] {
            let cookie = done.to_cookie();
            assert!(cookie.len() <= MAX_LENGTH, "{cookie}");
            assert_eq!(Done::parse(&cookie), Some(done), "{cookie}");
        }
        for other in [
            "",
            "1",
            "revoked",
            "revoked.x",
            "revoked-many.3.1",
            "sold.1",
            "saved.<b>",
        ] {
            assert_eq!(Done::parse(other), None, "{other}");
        }
        assert_eq!(Done::parse(&"x".repeat(MAX_LENGTH + 1)), None);
    }
}
