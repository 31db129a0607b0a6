//! The usage counters of a key, shared by the verifier, which counts, and the store, which writes.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use std::{
    collections::HashSet,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    net::IpAddr,
};
use uuid::Uuid;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UseKind {
    /// The key; `None` if the request presented no key or an unknown one.
    pub(crate) key_id: Option<KeyId>,
    /// The UTC day.
    pub(crate) day: NaiveDate,
    /// The outcome of the requests.
    pub(crate) outcome: Outcome,
}

/// Hashes all parts with one call, because each call of a hasher costs more than the bytes. Codes with the same length and beginning have
/// the same hash; they are few.
impl Hash for UseKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (kind, code, address) = match self.outcome {
            Outcome::Accepted(address) => (0, "", address),
            Outcome::AcceptedFromOthers => (1, "", None),
            Outcome::Refused(code, address) => (2, code, address),
            Outcome::RefusedFromOthers(code) => (3, code, None),
        };
        let key_id = self.key_id.map_or(Uuid::nil(), KeyId::as_uuid);
        let address = match address {
            None => [0; 16],
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
            Some(IpAddr::V6(address)) => address.octets(),
        };
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(key_id.as_bytes());
        bytes[16..32].copy_from_slice(&address);
        bytes[32..36].copy_from_slice(&self.day.num_days_from_ce().to_le_bytes());
        bytes[36] = kind;
        bytes[37] = code.len().to_le_bytes()[0];
        for (byte, letter) in bytes[38..].iter_mut().zip(code.bytes()) {
            *byte = letter;
        }
        state.write(&bytes);
    }
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

impl Uses {
    /// Adds further uses.
    pub(crate) fn add(&mut self, more: Self) {
        self.count += more.count;
        self.newest = self.newest.max(more.newest);
    }
}

/// The newest accepted use of each key, in the order of the keys' identifiers. `sorted` is sorted by key.
pub(crate) fn last_uses(sorted: &[(UseKind, Uses)]) -> Vec<(KeyId, LastUse)> {
    let mut newest = Vec::<(KeyId, LastUse)>::new();
    for (kind, uses) in sorted {
        let (Some(key_id), Outcome::Accepted(address)) = (kind.key_id, kind.outcome) else {
            continue;
        };
        let last_use = LastUse {
            at: uses.newest,
            address,
        };
        match newest.last_mut() {
            Some((id, newest)) if *id == key_id => {
                if newest.at < last_use.at {
                    *newest = last_use;
                }
            }
            _ => newest.push((key_id, last_use)),
        }
    }
    newest
}

/// The counters with an address that have a row in the database: adding to such a row needs no check of [`MOST_ADDRESSES`]. A counter is
/// stored as a hash of 64 bits; its keys are random, so that no client can choose an address with the hash of another one.
#[derive(Debug, Default)]
pub(crate) struct StoredCounters {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl StoredCounters {
    /// The number of counters that a hash table of 2^18 places holds, about 2.4 MB. Beyond it all are forgotten, which costs a query each.
    const CAPACITY: usize = 229_376;

    /// Whether the counter has a row. False also for a counter that was forgotten.
    pub(crate) fn contains(&self, kind: &UseKind) -> bool {
        self.hashes.contains(&self.hasher.hash_one(kind))
    }

    /// Adds counters that have rows.
    pub(crate) fn extend(&mut self, kinds: impl IntoIterator<Item = UseKind>) {
        for kind in kinds {
            if self.hashes.len() == Self::CAPACITY {
                self.hashes.clear();
            }
            self.hashes.insert(self.hasher.hash_one(kind));
        }
    }
}

pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
