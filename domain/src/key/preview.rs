//! The effect of a change on the requests of the last days. A preview never blocks a save.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// The addresses that used a key and that an allowlist would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowlistPreview {
    /// The first day of the period, UTC.
    pub first_day: NaiveDate,
    /// The last day of the period, UTC: today.
    pub last_day: NaiveDate,
    /// The number of addresses that used the key on these days. Clients with an unknown address count as one.
    pub addresses: u64,
    /// The addresses that the allowlist would refuse, the most recently used first.
    pub refused: Vec<PreviewedAddress>,
    /// Accepted requests without a stored address, because the key had more than 50 addresses on their day. It is unknown whether the
    /// allowlist would refuse them.
    pub other_requests: u64,
}

/// An address that used a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewedAddress {
    /// The address, or `unknown`.
    pub ip: String,
    /// The last day on which it used the key, UTC.
    pub last_date: NaiveDate,
}
