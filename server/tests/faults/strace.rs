//! Failing system calls of a running server.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::support::{binary::Latchkey, server::Server, wait::wait_until};

/// System calls of a server that fail until this value is dropped.
pub(crate) struct Fault {
    strace: Child,
    trace: PathBuf,
}

impl Fault {
    /// Makes `calls` of `server` fail with `error`. `when` selects calls of each thread, such as the first ones or every second one
    /// (strace(1)); empty selects all.
    pub(crate) fn start(
        latchkey: &Latchkey,
        server: &Server,
        calls: &str,
        error: &str,
        when: &str,
    ) -> Self {
        let trace = latchkey.folder().join("trace");
        let errors = latchkey.folder().join("strace");
        let when = match when {
            "" => String::new(),
            when => format!(":when={when}"),
        };
        let mut strace = Command::new("strace")
            .arg("--follow-forks")
            .arg(format!("--trace={calls}"))
            .arg(format!("--inject={calls}:error={error}{when}"))
            .arg("--output")
            .arg(&trace)
            .arg("--attach")
            .arg(server.child.id().to_string())
            .stdin(Stdio::null())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        wait_until(|| {
            assert_eq!(strace.try_wait().unwrap(), None, "strace ended");
            fs::read_to_string(&errors).is_ok_and(|errors| errors.contains("attached"))
        });
        Self { strace, trace }
    }

    /// The number of failed calls so far.
    pub(crate) fn failed_calls(&self) -> usize {
        fs::read_to_string(&self.trace)
            .unwrap_or_default()
            .matches("(INJECTED)")
            .count()
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        // On SIGTERM, strace detaches from every thread.
        let _ = Command::new("kill")
            .args(["-TERM", &self.strace.id().to_string()])
            .status();
        let _ = self.strace.wait();
    }
}
