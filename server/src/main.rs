//! `latchkey`: the server and its command line in one binary. The code is in the library.

// The nested types of pages exceed the compiler's default limit.
#![recursion_limit = "512"]

use std::process::ExitCode;

/// Faster than the system allocator for the many small allocations of rendering.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::runtime::run(server::cli::run())
}
