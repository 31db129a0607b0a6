//! Storage and connections that fail while something is changed: nothing is answered that another process cannot see.
//!
//! | what fails | where |
//! | --- | --- |
//! | SQLite's disk: full, or each kind of write and sync | `faults/sqlite.rs` |
//! | the way to PostgreSQL, before, during and after COMMIT | `faults/postgresql.rs` |
//! | either again and again, while keys are checked and changes are counted | `faults/counting.rs` |
//!
//! `TEST_ROUNDS` is how many faults there are while it is counted; `cargo xtask soak faults` has more of them.

mod counting;
mod ledger;
mod postgresql;
mod sqlite;
mod strace;
