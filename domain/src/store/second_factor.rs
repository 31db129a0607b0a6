//! Second factors: TOTP (RFC 6238) and recovery codes.
//!
//! | topic | module |
//! | --- | --- |
//! | codes: seeds, time steps, recovery codes | `code.rs` |
//! | the table, and the use of a code | `table.rs` |
//! | a user's own second factor: set up, turn off, new recovery codes | `own.rs` |
//! | the second step of a sign-in | `second_step.rs`, `pending.rs` |
//! | who needs a second factor | `requirement.rs` |
//! | a new encryption key | `rotation.rs` |

pub mod code;
pub mod own;
pub(crate) mod pending;
pub mod requirement;
pub mod rotation;
pub mod second_step;
pub(crate) mod table;
