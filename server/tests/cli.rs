//! The command line, as a script sees it: the real binary, a database of its own, what it prints and how it ends.

mod answers;
mod refusals;
mod version;

use std::{io::Write as _, process::Stdio};

use crate::support::binary::{Latchkey, Run};

/// Runs a command that reads `input`.
fn run_with_input(latchkey: &Latchkey, arguments: &[&str], input: &str) -> Run {
    let mut child = latchkey
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("latchkey runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("read");
    drop(stdin);
    Run::from(child.wait_with_output().expect("it ends"))
}

/// A database with the tenant `acme` and its group `Orders`.
fn with_acme() -> Latchkey {
    let latchkey = Latchkey::new();
    latchkey.answer(&[
        "tenant",
        "create",
        "--name",
        "Acme Logistics",
        "--slug",
        "acme",
    ]);
    latchkey.answer(&[
        "group",
        "create",
        "--tenant",
        "acme",
        "--name",
        "Orders",
        "--type",
        "tenant_api_key",
        "--permission",
        "orders:read",
        "--permission",
        "orders:write",
    ]);
    latchkey
}

/// A day as `YYYY-MM-DD`, so many days from today, UTC.
fn days_from_today(days: i64) -> String {
    (server::clock::now().date_naive() + chrono::TimeDelta::days(days)).to_string()
}
