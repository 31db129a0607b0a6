//! Tenants: customer organisations. Keys, groups and audit events belong to exactly one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::id::TenantId;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The identifier; never reused.
    pub id: TenantId,
    /// The name in URLs and commands.
    pub slug: Slug,
    /// The displayed name.
    pub name: String,
    /// The largest number of keys that are not revoked.
    pub key_limit: u32,
    /// The time from which all of its keys are refused; `None` if it is not suspended.
    pub suspended_at: Option<DateTime<Utc>>,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The number of changes of name, limit and suspension, from 1.
    #[serde(skip)]
    pub version: i64,
}

/// The active keys and users that a suspension stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspensionEffect {
    /// Keys that are not revoked.
    pub keys: u64,
    /// Users that are not disabled.
    pub users: u64,
}

/// The tenant that something belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantRef {
    /// The identifier.
    pub id: TenantId,
    /// The name in URLs.
    pub slug: Slug,
    /// The displayed name.
    pub name: String,
}

impl From<&Tenant> for TenantRef {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id,
            slug: tenant.slug.clone(),
            name: tenant.name.clone(),
        }
    }
}

/// How much of its key limit a tenant uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Usage))]
pub struct KeyQuota {
    /// Keys that are not revoked, expired ones too.
    pub used: u32,
    /// The key limit; below `used` if it was lowered.
    pub limit: u32,
}

impl KeyQuota {
    /// Whether the limit is reached.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.used >= self.limit
    }
}

/// The highest key limit.
pub const MAX_KEY_LIMIT: u32 = 1_000_000;

/// A tenant's name in URLs: 1–63 of `[a-z0-9-]`, a letter or digit at both ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The text is not a slug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Must be 1–63 of a–z, 0–9 and -, with a letter or digit at both ends")]
pub struct InvalidSlug;

impl Slug {
    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The slug derived from a name: `Acme Logistics` becomes `acme-logistics`, `Müller & Söhne` becomes `muller-sohne`.
    ///
    /// # Errors
    /// The message if no character of the name is allowed in a slug.
    pub fn from_name(name: &str) -> Result<Self, InvalidSlug> {
        let mut slug = String::new();
        for character in crate::text::without_marks(name).chars() {
            if character.is_ascii_alphanumeric() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() == 63 {
                break;
            }
        }
        slug.trim_end_matches('-').parse()
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, InvalidSlug> {
        let good = (1..=63).contains(&text.len())
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !text.starts_with('-')
            && !text.ends_with('-');
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidSlug)
        }
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
