//! Users: people who sign in.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::{
    id::{TenantId, UserId},
    text,
};

/// The role of a user, which determines the permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator of the installation; belongs to no tenant and may act in every one.
    SuperUser,
    /// Manages the keys of one tenant.
    TenantAdmin,
    /// Belongs to one tenant, without permission to manage keys.
    Member,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::SuperUser, Self::TenantAdmin, Self::Member];

    /// The word that is stored, and used in commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuperUser => "super_user",
            Self::TenantAdmin => "tenant_admin",
            Self::Member => "member",
        }
    }

    /// The role as displayed on pages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SuperUser => "Super user",
            Self::TenantAdmin => "Tenant administrator",
            Self::Member => "Member",
        }
    }

    /// Whether the role may open the pages that manage keys.
    #[must_use]
    pub const fn manages_keys(self) -> bool {
        matches!(self, Self::SuperUser | Self::TenantAdmin)
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or("Must be super_user, tenant_admin or member")
    }
}

/// A user, without the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The identifier.
    pub id: UserId,
    /// The tenant; `None` only for a super user.
    pub tenant_id: Option<TenantId>,
    /// The email address, unique in the installation.
    pub email: Email,
    /// The person's name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The time from which the user can no longer sign in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// The time of the creation.
    pub created_at: DateTime<Utc>,
}

/// An email address in canonical form: `local@domain` in lower case, with an internationalised domain in its ASCII form
/// (`ann@xn--mnchen-3ya.example`), as a browser's e-mail field sends it; at most 254 characters, without white space.
///
/// The check refuses text that cannot be an address; whether mail arrives there is not checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text is not an email address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Must be an email address")]
pub struct InvalidEmail;

impl Email {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(local, _)| local)
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(input: &str) -> Result<Self, InvalidEmail> {
        let address = canonical(text::normalise(input).to_lowercase());
        let good = text::length(&address) <= 254
            && text::is_plain_line(&address)
            && !address.contains(char::is_whitespace)
            && address.rsplit_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && !domain.is_empty() && !local.contains('@')
            });
        if good {
            Ok(Self(address))
        } else {
            Err(InvalidEmail)
        }
    }
}

/// The address with its domain in ASCII by UTS 46 (IDNA). A domain without such a form stays unchanged.
#[cfg(not(target_arch = "wasm32"))]
fn canonical(address: String) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return address;
    };
    match idna::domain_to_ascii(domain) {
        Ok(ascii) if ascii != domain => format!("{local}@{ascii}"),
        Ok(_) | Err(_) => address,
    }
}

/// Returns the address unchanged: a browser only parses addresses that the server has made canonical, so the bundle needs no tables.
#[cfg(target_arch = "wasm32")]
fn canonical(address: String) -> String {
    address
}

impl TryFrom<String> for Email {
    type Error = InvalidEmail;

    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
