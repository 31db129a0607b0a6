//! The accepted and refused requests of a key, for its page and the JSON API.
//!
//! Days are UTC. Counters are written every 5 seconds, so the newest requests appear with that delay.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::id::KeyId;

/// The number of days for which usage is kept, including today.
pub const MAX_DAYS: u32 = 90;
/// The number of days for which addresses and refusals are shown, including today.
pub const ADDRESS_DAYS: u32 = 7;
/// The number of days in a sparkline, including today.
pub const SPARKLINE_DAYS: u32 = 30;
/// The maximum number of addresses that are listed individually; further ones are counted together.
pub const MAX_ADDRESSES: usize = 50;

/// How a key was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyUsage {
    /// Every day of the period, the oldest first, also days without a request.
    pub days: Vec<DayUsage>,
    /// The client addresses of the last [`ADDRESS_DAYS`] days, those with the most accepted requests first. At most [`MAX_ADDRESSES`],
    /// then one entry for all others.
    pub addresses: Vec<AddressUsage>,
}

/// The requests with a key on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayUsage {
    /// UTC.
    pub date: NaiveDate,
    /// Requests that were accepted.
    pub accepted: u64,
    /// Requests that were refused, by the code of the refusal.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>))]
    pub refused: BTreeMap<String, u64>,
}

impl DayUsage {
    /// The number of refused requests, over all reasons.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// The requests with a key from one client address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddressUsage {
    /// The address; `unknown` where a trusted proxy named none; `null` for all further addresses together.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub ip: Option<String>,
    /// Requests that were accepted.
    pub accepted: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// The last day on which it used the key, UTC; where no request was accepted, the last day on which one was refused.
    pub last_date: NaiveDate,
}

/// The refused requests of one reason, over the last [`ADDRESS_DAYS`] days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReason {
    /// The code of the refusal.
    pub code: String,
    /// The number of requests that were refused for it.
    pub count: u64,
    /// The time of the newest of them; `None` if only an earlier version counted them.
    pub last_at: Option<DateTime<Utc>>,
    /// The addresses of those requests, most frequent first. At most [`MAX_ADDRESSES`], then one entry for all others. Requests that an
    /// earlier version counted have no address.
    pub addresses: Vec<RefusedAddress>,
}

/// The refused requests of one reason from one client address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAddress {
    /// As [`AddressUsage::ip`].
    pub ip: Option<String>,
    /// The number of refused requests.
    pub count: u64,
    /// The time of the newest of them.
    pub last_at: DateTime<Utc>,
}

/// The accepted requests of one key, for a sparkline in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySparkline {
    /// The key.
    pub key_id: KeyId,
    /// The accepted requests on each of the last [`SPARKLINE_DAYS`] days, oldest first.
    pub accepted: Vec<u64>,
}
