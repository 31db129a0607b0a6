//! `latchkey-bench`: `latchkey` as `cargo xtask bench` measures it, with its reference points. The code is in the library.

// The nested types of pages exceed the compiler's default limit, as in `latchkey`.
#![recursion_limit = "512"]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::runtime::run(server::bench::run())
}
