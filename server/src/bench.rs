//! What the benchmarks measure the check of `X-API-Key` against, and what they measure it with. Only with the feature `bench`.

mod command;
pub(crate) mod guard;

pub use command::run;
