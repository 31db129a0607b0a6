//! Pages and exports of the console on much data, on SQLite and PostgreSQL.

use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use procfs::process::Process as Stats;
use serde_json::Value;

use super::connection::exchange;
use super::effort::{Console, Effort};
use super::figure::{Figure, Limit, MIB, grouped, median};
use crate::command;
use crate::instance::{Instance, Server};
use crate::postgres::Postgres;
use crate::progress;
use crate::tools;

/// The password of both users. The database exists for the measurement only.
const PASSWORD: &str = "violet canoe 7 orbit lantern";
/// The email addresses of an administrator and a super user.
const ADMIN: &str = "administrator@example.test";
const SUPER_USER: &str = "operator@example.test";
/// The list of tenants.
const TENANTS: &str = "/tenants";
/// The limit on the median of a page, in milliseconds.
const PAGE_LIMIT: f64 = 25.0;
/// The limit on the median of a super user's page, in milliseconds.
const TENANTS_LIMIT: f64 = 30.0;
/// The limit on the growth of memory by an export, in MiB.
const EXPORT_LIMIT: f64 = 64.0;

/// Measures both engines.
pub(crate) fn measure(binary: &Path, effort: &Effort) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let instance = Instance::new(binary, "bench-console")?;
    figures.extend(measure_engine("SQLite", &instance, &effort.console)?);
    drop(instance);
    let postgres = Postgres::start(&tools::postgres_binaries()?)?;
    let instance = Instance::new(binary, "bench-console")?.with_database(&postgres.url);
    figures.extend(measure_engine("PostgreSQL", &instance, &effort.console)?);
    Ok(figures)
}

fn measure_engine(engine: &str, instance: &Instance, console: &Console) -> Result<Vec<Figure>> {
    let title = format!("Filling the console's database, {engine}");
    let sample: Value = progress::step(&title, "2 min", || {
        let numbers = [
            console.tenants,
            console.keys,
            console.events,
            console.used_keys,
        ];
        let mut fill = instance.command(&["fill-console"]);
        fill.args(numbers.map(|number| number.to_string()));
        Ok(serde_json::from_str(&command::output(&mut fill)?)?)
    })?;
    let text = |name: &str| -> Result<String> {
        let text = sample[name].as_str();
        Ok(text.with_context(|| format!("no {name}"))?.to_owned())
    };
    let (key, actor) = (text("key")?, text("actor")?);
    create_user(
        instance,
        ADMIN,
        &["--role", "tenant_admin", "--tenant", "tenant-0"],
    )?;
    create_user(instance, SUPER_USER, &["--role", "super_user"])?;
    let server = instance.serve()?;
    let address: SocketAddr = (server.url.strip_prefix("http://"))
        .context("the server's URL has no http://")?
        .parse()?;
    let day = command::output(Command::new("date").args(["-u", "-d", "45 days ago", "+%F"]))?;
    let day = day.trim();
    let mut pages = vec![
        ("list".to_owned(), "/tenant-api-keys".to_owned()),
        ("key page".to_owned(), format!("/tenant-api-keys/{key}")),
    ];
    pages.extend(audit_logs(&[
        ("key", format!("key_id={key}")),
        // Neither the key nor the actor has events of this action: a page without an index for both reads all events of one of them.
        ("action", "action=api_key.updated".to_owned()),
        ("actor", format!("actor={actor}")),
        ("date", format!("from={day}&to={day}")),
    ]));
    pages.push((
        "audit log by search".to_owned(),
        "/audit-log?q=warehouse+777".to_owned(),
    ));
    progress::announce(&format!("Pages of the console, {engine}"), "1 min");
    let session = sign_in(address, ADMIN)?;
    let mut figures = Vec::new();
    for (name, path) in &pages {
        let time = time_of(address, &session, path, console.requests)?;
        figures.push(
            Figure::new(format!("{engine}, {name}"), time, "ms").limit(Limit::AtMost(PAGE_LIMIT)),
        );
    }
    let operator = sign_in(address, SUPER_USER)?;
    if status_of(address, &operator, TENANTS)? == 404 {
        progress::print(&format!("{TENANTS} is not served: not measured"));
    } else {
        let time = time_of(address, &operator, TENANTS, console.requests)?;
        figures.push(
            Figure::new(format!("{engine}, tenants"), time, "ms")
                .limit(Limit::Below(TENANTS_LIMIT)),
        );
    }
    figures.extend(export(engine, &server, address, &session, console.events)?);
    Ok(figures)
}

/// The name and the path of the audit log with each combination of `filters`.
fn audit_logs(filters: &[(&str, String)]) -> Vec<(String, String)> {
    let mut combinations: Vec<Vec<&(&str, String)>> = vec![Vec::new()];
    for filter in filters {
        let with: Vec<_> = combinations
            .iter()
            .map(|chosen| chosen.iter().copied().chain([filter]).collect())
            .collect();
        combinations.extend(with);
    }
    // Fewest filters first.
    combinations.sort_by_key(Vec::len);
    let page = |chosen: Vec<&(&str, String)>| {
        let names: Vec<_> = chosen.iter().map(|(name, _)| *name).collect();
        let parameters: Vec<_> = chosen.iter().map(|(_, text)| text.as_str()).collect();
        match names.as_slice() {
            [] => ("audit log".to_owned(), "/audit-log".to_owned()),
            _ => (
                format!("audit log by {}", names.join(", ")),
                format!("/audit-log?{}", parameters.join("&")),
            ),
        }
    };
    combinations.into_iter().map(page).collect()
}

fn create_user(instance: &Instance, email: &str, role: &[&str]) -> Result<()> {
    let mut create = instance.command(&["user", "create", "--email", email, "--password-stdin"]);
    let mut child = create
        .args(role)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    writeln!(stdin, "{PASSWORD}")?;
    drop(stdin);
    ensure!(child.wait()?.success(), "cannot create the user {email}");
    Ok(())
}

/// Signs in and returns the session's cookie.
fn sign_in(address: SocketAddr, email: &str) -> Result<String> {
    let body = format!(
        "email={}&password={}",
        email.replace('@', "%40"),
        PASSWORD.replace(' ', "+")
    );
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, response) = exchange(address, &request)?;
    ensure!(status == 303, "the sign-in responded {status}");
    let cookie = response.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_session = value.starts_with("latchkey_session=");
        (name.eq_ignore_ascii_case("set-cookie") && is_session).then(|| value.split(';').next())?
    });
    Ok(cookie.context("no session cookie")?.to_owned())
}

/// The median time in milliseconds from sending a request to the last byte of the response, one request at a time.
fn time_of(address: SocketAddr, session: &str, path: &str, requests: u32) -> Result<f64> {
    let mut times = Vec::new();
    // The first request fills caches of the database.
    for number in 0..=requests {
        let started = Instant::now();
        let status = status_of(address, session, path)?;
        ensure!(status == 200, "{path} responded {status}");
        if number > 0 {
            times.push(1e3 * started.elapsed().as_secs_f64());
        }
    }
    Ok(median(times))
}

/// Requests a page and returns its status after the last byte.
fn status_of(address: SocketAddr, session: &str, path: &str) -> Result<u16> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {session}\r\n\r\n"
    );
    Ok(exchange(address, &request)?.0)
}

/// Exports every event and measures the peak of the server's memory meanwhile.
fn export(
    engine: &str,
    server: &Server,
    address: SocketAddr,
    session: &str,
    events: u32,
) -> Result<[Figure; 2]> {
    let stats = Stats::new(server.pid().try_into()?)?;
    let before = stats.status()?.vmrss.context("no VmRSS")?;
    // The value 5 resets VmHWM (proc(5)).
    fs::write(format!("/proc/{}/clear_refs", server.pid()), "5")?;
    let started = Instant::now();
    let count = exported_events(address, session)?;
    let seconds = started.elapsed().as_secs_f64();
    let peak = stats.status()?.vmhwm.context("no VmHWM")?;
    ensure!(count >= u64::from(events), "the export has {count} events");
    let growth = peak.saturating_sub(before) as f64 * 1024.0 / MIB;
    let name = format!("{engine}, export of {} events", grouped(events.into()));
    Ok([
        Figure::new(name.clone(), seconds, "s"),
        Figure::new(format!("{name}, memory growth"), growth, "MiB")
            .limit(Limit::Below(EXPORT_LIMIT)),
    ])
}

/// The number of events in the whole export as JSON lines, read without storing it.
fn exported_events(address: SocketAddr, session: &str) -> Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "GET /audit-log/export.jsonl HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {session}\r\n\r\n"
    )?;
    let mut lines = 0;
    let mut last = 0;
    let mut chunk = vec![0; 1 << 16];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(lines);
        }
        // Lines of HTTP's own end with CR LF; those of the export begin after a brace.
        for byte in &chunk[..count] {
            lines += u64::from(*byte == b'\n' && last == b'}');
            last = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_filters_is_measured_once() {
        let filters = [("key", "k=1".to_owned()), ("date", "d=2".to_owned())];
        let expected = [
            ("audit log", "/audit-log"),
            ("audit log by key", "/audit-log?k=1"),
            ("audit log by date", "/audit-log?d=2"),
            ("audit log by key, date", "/audit-log?k=1&d=2"),
        ];
        let expected = expected.map(|(name, path)| (name.to_owned(), path.to_owned()));
        assert_eq!(audit_logs(&filters), expected);
    }
}
