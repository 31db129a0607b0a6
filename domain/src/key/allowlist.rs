//! IP allowlists: the networks from which a key works.

mod addresses;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize, Serializer};
use std::{collections::HashSet, fmt};

pub use addresses::Addresses;

use crate::{
    FieldError,
    client_address::ClientAddress,
    network::parse_network,
    text::{is_control, is_invisible},
};

/// Canonical networks without duplicates, in the order of the input. An empty list admits every address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = Vec<String>, max_items = 1000, example = json!(["10.0.0.0/8", "2001:db8::/32"]))
)]
#[serde(try_from = "Vec<String>")]
pub struct Allowlist(Vec<IpNetwork>);

/// A broken rule of an allowlist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAllowlist {
    /// A line that is neither an address nor a range.
    #[error("Line {line}: '{text}' is not an IP address or CIDR range")]
    Line {
        /// The line number, from 1, including empty lines.
        line: usize,
        /// The line, shortened if it is very long.
        text: String,
    },
    /// Too many entries.
    #[error("Must be at most 1,000 entries")]
    TooMany,
}

impl InvalidAllowlist {
    /// The error of the field `ip_allowlist`.
    #[must_use]
    pub fn into_field_error(self) -> FieldError {
        FieldError::new("ip_allowlist", self.to_string())
    }
}

impl Allowlist {
    /// The largest number of entries.
    pub const MAX_ENTRIES: usize = 1_000;
    /// The longest part of an invalid line in a message, in characters.
    const MAX_QUOTED: usize = 80;

    /// Parses one address or range per line; empty lines are skipped.
    ///
    /// # Errors
    /// Every invalid line.
    pub fn parse_lines(text: &str) -> Result<Self, Vec<InvalidAllowlist>> {
        Self::parse_entries(
            text.split('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line)),
        )
    }

    /// Parses entries, each like a line.
    ///
    /// # Errors
    /// Every invalid entry, with its number from 1.
    pub fn parse_entries<'a>(
        entries: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<InvalidAllowlist>> {
        let mut networks = Vec::new();
        let mut seen = HashSet::new();
        let mut errors = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            // Text pasted from chats and documents often contains invisible characters.
            let entry = entry.trim_matches(is_pasted_along);
            if entry.is_empty() {
                continue;
            }
            match parse_network(entry) {
                Some(network) if seen.insert(network) => networks.push(network),
                Some(_) => {}
                None => errors.push(InvalidAllowlist::Line {
                    line: index + 1,
                    text: quoted(entry),
                }),
            }
            // Every invalid line is an entry: the number of errors is bounded by that of entries.
            if networks.len() + errors.len() > Self::MAX_ENTRIES {
                errors.push(InvalidAllowlist::TooMany);
                return Err(errors);
            }
        }
        if errors.is_empty() {
            Ok(Self(networks))
        } else {
            Err(errors)
        }
    }

    /// Whether the list admits `client`. Only an empty list admits an unknown client.
    #[must_use]
    pub fn admits(&self, client: ClientAddress) -> bool {
        Addresses::from(self).admit(client)
    }

    /// Whether this list admits every client that `other` admits, including an unknown one, which only an empty list
    /// admits.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        Addresses::from(self).cover(&Addresses::from(other))
    }

    /// The list that admits every client that this list or `other` admits. It may be longer than [`Self::MAX_ENTRIES`], so it must not be
    /// stored.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        // An empty list admits every client.
        if self.is_empty() || other.is_empty() {
            return Self::default();
        }
        Self(self.0.iter().chain(&other.0).copied().collect())
    }

    /// The line number, from 1, of the first network in `lines` that contains `client`; empty and invalid lines count.
    #[must_use]
    pub fn line_that_admits(lines: &str, client: ClientAddress) -> Option<usize> {
        let contains = |line: &str| {
            let list = Self::parse_lines(line).ok()?;
            (!list.is_empty()).then(|| list.admits(client))
        };
        let place = lines
            .lines()
            .position(|line| contains(line) == Some(true))?;
        Some(place + 1)
    }

    /// Warnings for valid entries that may be unintended: a range that admits every address of its family.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|network| network.prefix() == 0)
            .map(|network| {
                let family = if network.is_ipv4() { "IPv4" } else { "IPv6" };
                format!("{network} admits every {family} address.")
            })
            .collect()
    }

    /// Whether the list is empty and so admits every address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks, in order.
    #[must_use]
    pub fn networks(&self) -> &[IpNetwork] {
        &self.0
    }

    /// The networks as text, one per line, for a form's field.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let networks: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        networks.join("\n")
    }
}

impl From<&Allowlist> for Addresses {
    fn from(list: &Allowlist) -> Self {
        Self::of_networks(&list.0)
    }
}

impl TryFrom<Vec<String>> for Allowlist {
    type Error = InvalidAllowlist;

    fn try_from(entries: Vec<String>) -> Result<Self, InvalidAllowlist> {
        Self::parse_entries(entries.iter().map(String::as_str))
            .map_err(|mut errors| errors.swap_remove(0))
    }
}

impl Serialize for Allowlist {
    /// Serialises the networks as texts, in order.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Text<'a>(&'a IpNetwork);

        impl Serialize for Text<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self.0)
            }
        }

        serializer.collect_seq(self.0.iter().map(Text))
    }
}

impl fmt::Display for Allowlist {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_lines())
    }
}

/// Whether a character at either end of an entry is not part of it: a tab, another blank or an invisible character. Line breaks and other
/// control characters are excluded, because they separate entries.
fn is_pasted_along(character: char) -> bool {
    character == '\t' || (is_invisible(character) && !is_control(character))
}

/// The entry in a message: shortened, with invisible characters escaped.
fn quoted(entry: &str) -> String {
    let mut text = String::new();
    for (index, character) in entry.chars().enumerate() {
        if index == Allowlist::MAX_QUOTED {
            text.push('…');
            break;
        }
        if character != ' ' && is_invisible(character) {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text
}
