//! `latchkey-bench`: `latchkey` as `cargo xtask bench` measures it, with what it is compared to. What it does is in the library.

// As in `latchkey`, like all that follows.
#![recursion_limit = "512"]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::runtime::run(server::bench::run())
}
