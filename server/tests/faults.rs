//! Storage and connections that fail during changes: every confirmed change is visible to another process.
//!
//! | fault | file |
//! | --- | --- |
//! | SQLite's disk is full, or writes and syncs fail | `faults/sqlite.rs` |
//! | the connection to PostgreSQL ends before, during and after COMMIT | `faults/postgresql.rs` |
//! | both, repeatedly, while keys are verified and changes are counted | `faults/counting.rs` |
//!
//! `TEST_ROUNDS` is the number of faults in `faults/counting.rs`; `cargo xtask soak faults` raises it.

mod counting;
mod ledger;
mod postgresql;
mod sqlite;
mod strace;
