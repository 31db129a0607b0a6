//! The usage counters of a key, shared by the verifier, which counts, and the store, which writes.

use chrono::{DateTime, NaiveDate, Utc};
use std::net::IpAddr;

use crate::id::KeyId;

/// Maximum number of addresses of a key that are counted separately on one day.
pub const MOST_ADDRESSES: u32 = 50;
/// Stands for all further addresses of a day.
pub const OTHER: &str = "other";
/// Stands for clients whose address is unknown.
pub const UNKNOWN: &str = "unknown";

/// The newest accepted request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastUse {
    /// The time of the request.
    pub(crate) at: DateTime<Utc>,
    /// The client address; `None` if unknown.
    pub(crate) address: Option<IpAddr>,
}

/// The properties that distinguish counters: requests with the same ones are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UseKind {
    /// The key; `None` if the request presented no key or an unknown one.
    pub(crate) key_id: Option<KeyId>,
    /// The UTC day.
    pub(crate) day: NaiveDate,
    /// The outcome of the requests.
    pub(crate) outcome: Outcome,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    /// The request was accepted from this address; `None` if unknown.
    Accepted(Option<IpAddr>),
    /// The request was accepted from an address that is not counted separately.
    AcceptedFromOthers,
    /// The request was refused with this code, from this address; `None` if the address is unknown, or if the key is, because no page would
    /// show the address.
    Refused(&'static str, Option<IpAddr>),
    /// The request was refused with this code, from an address that is not counted separately.
    RefusedFromOthers(&'static str),
}

impl Outcome {
    /// The same outcome from an address that is not counted separately.
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
