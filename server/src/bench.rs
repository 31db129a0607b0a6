//! The reference points and tools for benchmarks of the `X-API-Key` check. Compiled only with the feature `bench`.

mod command;
pub(crate) mod guard;

pub use command::run;
