//! How uses of a key are counted: what the verifier counts and the store writes.

use chrono::{DateTime, NaiveDate, Utc};
use std::net::IpAddr;

use crate::id::KeyId;

/// Addresses of a key that are counted separately on one day.
pub const MOST_ADDRESSES: u32 = 50;
/// Stands for all further addresses of a day.
pub const OTHER: &str = "other";
/// Stands for clients whose address is unknown.
pub const UNKNOWN: &str = "unknown";

/// The most recent accepted request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastUse {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// From where; `None` where the address was unknown.
    pub(crate) address: Option<IpAddr>,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UseKind {
    /// The key; `None` where none was presented, or none that there is.
    pub(crate) key_id: Option<KeyId>,
    /// UTC.
    pub(crate) day: NaiveDate,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// What came of a request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    /// It was accepted from this address; `None` where that was unknown.
    Accepted(Option<IpAddr>),
    /// It was accepted from an address beyond those that are told apart.
    AcceptedFromOthers,
    /// It was refused with this code, from this address; `None` where that was unknown, or where no key is known whose page would
    /// show it.
    Refused(&'static str, Option<IpAddr>),
    /// It was refused with this code, from an address beyond those that are told apart.
    RefusedFromOthers(&'static str),
}

impl Outcome {
    /// The same without an address of its own.
    pub(crate) const fn without_address(self) -> Self {
        match self {
            Self::Accepted(Some(_)) => Self::AcceptedFromOthers,
            Self::Refused(code, Some(_)) => Self::RefusedFromOthers(code),
            other => other,
        }
    }

    /// The code of a refusal.
    pub(crate) const fn code(self) -> Option<&'static str> {
        match self {
            Self::Accepted(_) | Self::AcceptedFromOthers => None,
            Self::Refused(code, _) | Self::RefusedFromOthers(code) => Some(code),
        }
    }
}

/// A counter with the time of the newest use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) count: u64,
    pub(crate) newest: DateTime<Utc>,
}

pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
