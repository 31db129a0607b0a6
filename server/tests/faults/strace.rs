//! System calls of a running server that fail.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::support::{binary::Latchkey, server::Server, until::until};

/// Has calls of a server fail until it is dropped.
pub(crate) struct Fault {
    strace: Child,
    trace: PathBuf,
}

impl Fault {
    /// `calls` of `server` fail with `error`: the first, the first two, each second and so on of each thread, by `when`, or all.
    pub(crate) fn begin(
        latchkey: &Latchkey,
        server: &Server,
        calls: &str,
        error: &str,
        when: &str,
    ) -> Self {
        let trace = latchkey.folder().join("trace");
        let said = latchkey.folder().join("strace");
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
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        until(|| {
            assert_eq!(strace.try_wait().unwrap(), None, "strace ended");
            fs::read_to_string(&said).is_ok_and(|said| said.contains("attached"))
        });
        Self { strace, trace }
    }

    /// How many calls have failed by now.
    pub(crate) fn failed_calls(&self) -> usize {
        fs::read_to_string(&self.trace)
            .unwrap_or_default()
            .matches("(INJECTED)")
            .count()
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        // So that it lets go of each thread.
        let _ = Command::new("kill")
            .args(["-TERM", &self.strace.id().to_string()])
            .status();
        let _ = self.strace.wait();
    }
}
