//! The threads that everything runs on.

use std::{future::Future, process::ExitCode};

/// A page that is rendered without optimisation takes about 2 MiB of stack, which is all that a thread has by default. What is
/// not used costs nothing.
const STACK_SIZE: usize = 8 * 1024 * 1024;

/// Runs `work` to its end.
pub fn run(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_SIZE)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}
