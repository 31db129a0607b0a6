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
        }
    }
}
