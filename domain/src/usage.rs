//! How uses of a key are counted: what the verifier counts and the store writes.

use chrono::{DateTime, NaiveDate, Utc};
use std::net::IpAddr;

use crate::id::KeyId;

/// Addresses of a key that are counted separately on one day.
pub const MOST_ADDRESSES: u32 = 50;

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
    /// It was refused with this code.
    Refused(&'static str),
}
