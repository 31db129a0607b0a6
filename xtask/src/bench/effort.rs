//! The extent of the measurements.

use std::time::Duration;

use crate::profile::Profile;

#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// The build profile. The debug build is for trying the command; its figures are not kept.
    pub(crate) profile: Profile,
    pub(crate) tenants: u32,
    pub(crate) keys_each: u32,
    /// The number of requests with unknown keys, which must not make memory grow.
    pub(crate) unknown: usize,
    /// The number of archived keys of the server whose start and memory are compared with those of an empty one.
    pub(crate) archived: u32,
    pub(crate) rounds: u32,
    /// The duration of each load in each round.
    pub(crate) time: Duration,
    /// The number of Lighthouse audits of each page.
    pub(crate) audits: u32,
    /// The data of the console's pages.
    pub(crate) console: Console,
}

/// The data of the console's pages: of one tenant, but for the number of tenants.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    pub(crate) tenants: u32,
    pub(crate) keys: u32,
    pub(crate) events: u32,
    /// The number of keys with usage on each of 90 days.
    pub(crate) used_keys: u32,
    /// The number of measured requests for each page.
    pub(crate) requests: u32,
}

impl Effort {
    /// An effort of two minutes, most of it compile time.
    pub(crate) const QUICK: Self = Self {
        profile: Profile::Debug,
        tenants: 10,
        keys_each: 100,
        unknown: 1_000,
        archived: 10_000,
        rounds: 1,
        time: Duration::from_secs(1),
        audits: 1,
        console: Console {
            tenants: 50,
            keys: 1_000,
            events: 5_000,
            used_keys: 20,
            requests: 3,
        },
    };

    /// The effort that the limits apply to.
    pub(crate) const fn full(rounds: u32, time: Duration) -> Self {
        Self {
            profile: Profile::Release,
            tenants: 1_000,
            keys_each: 100,
            unknown: 1_000_000,
            archived: 1_000_000,
            rounds,
            time,
            audits: 5,
            console: Console {
                tenants: 5_000,
                keys: 100_000,
                events: 1_000_000,
                used_keys: 10_000,
                requests: 31,
            },
        }
    }
}
