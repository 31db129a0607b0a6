//! `latchkey`: the server and its command line in one binary. What it does is in the library.

// The types of whole pages nest deeper than the compiler's default lets it look.
#![recursion_limit = "512"]

use std::process::ExitCode;

/// Faster and steadier than the system's allocator under many small allocations, which is what rendering pages is.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::runtime::run(server::cli::run())
}
