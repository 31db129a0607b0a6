//! How much is measured.

use std::time::Duration;

use crate::profile::Profile;

#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// The debug build is for trying the command itself: its figures are not kept.
    pub(crate) profile: Profile,
    pub(crate) tenants: u32,
    pub(crate) keys_each: u32,
    /// Requests with keys that do not exist, which must not make memory grow.
    pub(crate) unknown: usize,
    pub(crate) rounds: u32,
    /// How long each load lasts in each round.
    pub(crate) time: Duration,
    /// How often Lighthouse audits each page.
    pub(crate) audits: u32,
}

impl Effort {
    /// Takes two minutes, most of them for the compiler.
    pub(crate) const QUICK: Self = Self {
        profile: Profile::Debug,
        tenants: 10,
        keys_each: 100,
        unknown: 1_000,
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
            rounds,
            time,
            audits: 5,
        }
    }
}
