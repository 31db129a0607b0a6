//! The tokio runtime.

use std::{future::Future, process::ExitCode};

/// Rendering a page in a debug build takes about 2 MiB of stack, the default of a thread. Unused stack is never mapped.
const STACK_SIZE: usize = 8 * 1024 * 1024;

/// Runs `work` to completion.
pub fn run(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_SIZE)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("error: cannot start the runtime's threads: {error}");
            ExitCode::FAILURE
        }
    }
}
