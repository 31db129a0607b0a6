//! `latchkey`: the server and its command line in one binary. What it does is in the library.

// The types of whole pages nest deeper than the compiler's default lets it look.
#![recursion_limit = "512"]

use std::process::ExitCode;

/// Faster and steadier than the system's allocator under many small allocations, which is what rendering pages is.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A page that is rendered without optimisation takes about 2 MiB of stack, which is all that a thread has by default. What is
/// not used costs nothing.
const STACK_SIZE: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_SIZE)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(server::cli::run()),
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}
