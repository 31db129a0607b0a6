//! Storage and connections that fail while something is changed: nothing is answered that another process cannot see.
//!
//! | what fails | where |
//! | --- | --- |
//! | SQLite's disk: full, or each kind of write and sync | `faults/sqlite.rs` |
//! | the way to PostgreSQL, before, during and after COMMIT | `faults/postgres.rs` |
//! | either again and again, while keys are checked and changes are counted | `faults/counting.rs` |
//!
//! `TEST_ROUNDS` is how many faults there are while it is counted; `cargo xtask soak faults` has more of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/binary.rs"]
mod binary;
#[path = "faults/counting.rs"]
mod counting;
#[path = "support/disk.rs"]
mod disk;
#[path = "faults/ledger.rs"]
mod ledger;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/load.rs"]
mod load;
#[path = "support/manager.rs"]
mod manager;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/postgres.rs"]
mod postgres;
#[path = "faults/postgres.rs"]
mod postgresql;
#[path = "support/programs.rs"]
mod programs;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "replicas/proxy.rs"]
mod proxy;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/server.rs"]
mod server;
#[path = "support/sql.rs"]
mod sql;
#[path = "faults/sqlite.rs"]
mod sqlite;
#[path = "faults/strace.rs"]
mod strace;
#[path = "support/until.rs"]
mod until;
