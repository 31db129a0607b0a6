//! What a change would refuse, by the requests of the last days. A preview reports; it never blocks a save.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Which addresses that used a key an allowlist would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowlistPreview {
    /// The first day that is looked at, UTC.
    pub first_day: NaiveDate,
    /// The last day that is looked at, UTC: today.
    pub last_day: NaiveDate,
    /// Addresses that used the key on these days. Clients whose address was unknown count as one.
    pub addresses: u64,
    /// Those of them that the allowlist would refuse, the one that used the key last first.
    pub refused: Vec<PreviewedAddress>,
    /// Accepted requests of which only the number was kept, because the key had more than 50 addresses on their day: nothing tells
    /// whether the allowlist would refuse them.
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
