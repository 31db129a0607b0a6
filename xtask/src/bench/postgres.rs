//! Loads on servers with PostgreSQL, over a Unix socket and over TCP; the time of revocations with one to three replicas, and a model of
//! more replicas with the measured costs.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::connection::exchange;
use super::effort::Effort;
use super::figure::{Figure, Limit, median};
use super::load::{self, Keys, percentile};
use super::rounds::Sample;
use super::server::{GUARDED, Installation, Server, UNCACHED};
use crate::postgres::Postgres;
use crate::progress;
use crate::tools;

/// Name, path, keys, and limit on the processor time over a Unix socket in microseconds.
type Load = (&'static str, &'static str, Keys, Option<Limit>);

const LOADS: [Load; 4] = [
    ("check, any key", GUARDED, Keys::Any, None),
    (
        "check, uncached",
        UNCACHED,
        Keys::Any,
        Some(Limit::AtMost(250.0)),
    ),
    ("unknown keys", GUARDED, Keys::Unknown, None),
    ("junk", GUARDED, Keys::Junk, None),
];

/// Bounds on the rounds and on the time of a load: this part takes at most five minutes, whatever the others take.
const MOST_ROUNDS: u32 = 3;
const LONGEST_LOAD: Duration = Duration::from_secs(2);
/// The longest wait until the fingerprints of all secrets are loaded.
const LOADED: Duration = Duration::from_secs(60);

/// The largest number of measured replicas.
const REPLICAS: usize = 3;
/// The numbers of replicas of the model.
const MODELLED: [u32; 3] = [10, 30, 100];
/// Polls of a replica in a second without changes (`domain/src/store/invalidation/replica.rs`).
const POLLS_PER_SECOND: f64 = 4.0;
/// Revocations that are not counted, with each number of replicas.
const WARM_UP: usize = 5;

/// Measures loads and revocations.
pub(crate) fn measure(binary: &Path, effort: &Effort) -> Result<Vec<Figure>> {
    let postgres = Postgres::start_durable(&tools::postgres_binaries()?)?;
    let installation = progress::step("Filling the PostgreSQL database", "1 min", || {
        Installation::fill_database(binary, effort, &postgres.url)
    })?;
    let mut figures = progress::step("Loads with PostgreSQL, in rounds", "2 min", || {
        measure_loads(&installation, &postgres, effort)
    })?;
    figures.extend(progress::step(
        "Revocations with one to three replicas",
        "30 s",
        || measure_revocations(&installation, &postgres),
    )?);
    Ok(figures)
}

/// Both ways of connecting in every round, each load on a server of its own.
fn measure_loads(
    installation: &Installation,
    postgres: &Postgres,
    effort: &Effort,
) -> Result<Vec<Figure>> {
    let mut servers = Vec::new();
    for (name, url) in [
        ("socket", postgres.socket_url()),
        ("TCP", postgres.url.clone()),
    ] {
        let (server, _) = installation.start("serve", &[("DATABASE_URL", &url)])?;
        wait_until_loaded(&server)?;
        let count = installation.secrets.len();
        let is_over = |number| number >= count;
        load::run(
            server.address,
            GUARDED,
            Keys::InTurn,
            &installation.secrets,
            is_over,
        )?;
        server.wait_until_at_rest()?;
        servers.push((name, server));
    }
    let time = effort.time.min(LONGEST_LOAD);
    let mut samples = vec![Vec::new(); servers.len() * LOADS.len()];
    for _ in 0..effort.rounds.min(MOST_ROUNDS) {
        for (server_place, (_, server)) in servers.iter().enumerate() {
            for (place, (_, path, keys, _)) in LOADS.into_iter().enumerate() {
                let database = postgres.cpu()?;
                let sample = Sample::of(server, path, || {
                    let started = Instant::now();
                    load::run(server.address, path, keys, &installation.secrets, |_| {
                        started.elapsed() >= time
                    })
                })?;
                let database = (postgres.cpu()? - database).as_secs_f64();
                let database = database / sample.throughput.requests as f64;
                samples[server_place * LOADS.len() + place].push((sample, database));
            }
        }
    }
    let names = servers
        .iter()
        .flat_map(|(way, _)| LOADS.iter().map(move |load| (*way, load)));
    Ok(names
        .zip(&samples)
        .map(|((way, (load, .., limit)), samples)| {
            let samples_of: Vec<Sample> = samples.iter().map(|(sample, _)| *sample).collect();
            let mut figure = Sample::figure(format!("{load}, {way}"), &samples_of)
                .limit(limit.filter(|_| way == "socket"));
            let database = median(samples.iter().map(|(_, database)| database * 1e6));
            figure.details.insert("PostgreSQL µs", database);
            figure
        })
        .collect())
}

fn wait_until_loaded(server: &Server) -> Result<()> {
    let started = Instant::now();
    while server.known_secrets()? == 0 {
        ensure!(started.elapsed() < LOADED, "the secrets are not loaded");
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The cost of a revocation with some number of replicas.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Seconds from sending the request to the last byte of the response.
    p50: f64,
    p99: f64,
    /// Seconds of PostgreSQL's processor time.
    database: f64,
}

fn measure_revocations(installation: &Installation, postgres: &Postgres) -> Result<Vec<Figure>> {
    let url = postgres.socket_url();
    let settings = [("DATABASE_URL", url.as_str())];
    let mut servers = Vec::new();
    let mut costs = Vec::new();
    for replicas in 1..=REPLICAS {
        servers.push(installation.start("serve", &settings)?.0);
        // Each number of replicas revokes the keys of another tenant.
        let tenant = format!("tenant-{replicas}");
        let key = administrator(installation, &tenant)?;
        let server = &servers[0];
        let ids = ids(server, &key)?;
        let (warm_up, measured) = ids.split_at_checked(WARM_UP).context("too few keys")?;
        wait_for_replicas(server, &key, &warm_up[0], replicas)?;
        for id in warm_up {
            revoke(server, &key, id)?;
        }
        let (began, database) = (Instant::now(), postgres.cpu()?);
        let mut times = Vec::new();
        for id in measured {
            let started = Instant::now();
            let confirmed = revoke(server, &key, id)?;
            times.push(started.elapsed());
            ensure!(
                confirmed == (replicas as u64, replicas as u64),
                "not every replica has confirmed: {confirmed:?}"
            );
        }
        let (duration, database) = (began.elapsed(), postgres.cpu()? - database);
        let idle = postgres.cpu()?;
        sleep(duration);
        let idle = postgres.cpu()? - idle;
        times.sort_unstable();
        costs.push(Cost {
            p50: percentile(&times, 50)?,
            p99: percentile(&times, 99)?,
            database: database.saturating_sub(idle).as_secs_f64() / measured.len() as f64,
        });
    }
    let measured = (1..).zip(&costs).map(|(replicas, cost): (u32, _)| {
        let mut figure = Figure::new(
            format!("revocation, {} p50", of_replicas(replicas)),
            cost.p50 * 1e3,
            "ms",
        );
        figure.details.extend([
            ("p99 ms", cost.p99 * 1e3),
            ("PostgreSQL ms", cost.database * 1e3),
        ]);
        figure
    });
    let (first, last) = costs.first().zip(costs.last()).context("no costs")?;
    let model = Model::of(first, last);
    Ok(measured.chain(model.figures()).collect())
}

fn of_replicas(number: u32) -> String {
    match number {
        1 => "1 replica,".to_owned(),
        _ => format!("{number} replicas,"),
    }
}

/// The secret of a new key that may list and revoke the keys of a tenant.
fn administrator(installation: &Installation, tenant: &str) -> Result<String> {
    const NAME: &str = "Administrators";
    // The filled tenant is at its limit.
    installation.json(&["tenant", "set-limit", tenant, "1000"])?;
    installation.json(&[
        "group",
        "create",
        "--tenant",
        tenant,
        "--name",
        NAME,
        "--type",
        "tenant_api_key",
        "--permission",
        "api-keys:read",
        "api-keys:write",
    ])?;
    let key = installation.json(&[
        "key", "create", "--tenant", tenant, "--name", NAME, "--group", NAME,
    ])?;
    Ok(key["secret"].as_str().context("no secret")?.to_owned())
}

/// The identifiers of a tenant's keys of the group that the database was filled with.
fn ids(server: &Server, key: &str) -> Result<Vec<String>> {
    let list = request(server, "GET", "/api/v1/api-keys?limit=100", key)?;
    let items = list["items"].as_array().context("no items")?;
    Ok(items
        .iter()
        .filter(|item| item["authorization_group"]["name"] == "Orders")
        .filter_map(|item| Some(item["id"].as_str()?.to_owned()))
        .collect())
}

/// Waits until exactly these replicas confirm: those of the loads before are removed after two seconds, and a new one registers after its
/// first answer.
fn wait_for_replicas(server: &Server, key: &str, id: &str, replicas: usize) -> Result<()> {
    let started = Instant::now();
    // Revoking a revoked key waits for the replicas, too.
    while revoke(server, key, id)? != (replicas as u64, replicas as u64) {
        ensure!(started.elapsed() < LOADED, "not {replicas} replicas");
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Revokes a key, which returns when every replica refuses it. Returns the number of replicas, and of those that have confirmed.
fn revoke(server: &Server, key: &str, id: &str) -> Result<(u64, u64)> {
    let path = format!("/api/v1/api-keys/{id}/revoke");
    let receipt = &request(server, "POST", &path, key)?["receipt"];
    let number = |name: &str| receipt[name].as_u64();
    number("replicas")
        .zip(number("refused_on"))
        .context("no receipt")
}

fn request(server: &Server, method: &str, path: &str, key: &str) -> Result<Value> {
    let address = server.address;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-api-key: {key}\r\ncontent-length: 0\r\n\r\n"
    );
    let (status, response) = exchange(address, &request)?;
    let body = response.split_once("\r\n\r\n").map(|(_, body)| body);
    ensure!(
        status == 200,
        "{method} {path} responded {status}: {body:?}"
    );
    Ok(serde_json::from_str(body.context("no body")?)?)
}

/// Costs that grow with the number of replicas. Each replica polls when a change is notified, and several times a second without changes,
/// so that PostgreSQL's time and the wait grow by a constant for each replica, until PostgreSQL has no time left.
#[derive(Debug)]
struct Model {
    /// With one replica.
    first: Cost,
    /// More for each further replica.
    each: Cost,
}

impl Model {
    /// From the costs with one replica and with [`REPLICAS`].
    fn of(first: &Cost, last: &Cost) -> Self {
        let slope = |last: f64, first: f64| ((last - first) / (REPLICAS - 1) as f64).max(0.0);
        Self {
            first: *first,
            each: Cost {
                p50: slope(last.p50, first.p50),
                p99: slope(last.p99, first.p99),
                database: slope(last.database, first.database),
            },
        }
    }

    fn with(&self, replicas: u32) -> Cost {
        let further = f64::from(replicas.saturating_sub(1));
        let at = |first: f64, each: f64| first + further * each;
        Cost {
            p50: at(self.first.p50, self.each.p50),
            p99: at(self.first.p99, self.each.p99),
            database: at(self.first.database, self.each.database),
        }
    }

    /// The part of one processor of PostgreSQL that polls take without changes.
    fn polls(&self, replicas: u32) -> f64 {
        f64::from(replicas) * POLLS_PER_SECOND * self.each.database
    }

    fn figures(&self) -> impl Iterator<Item = Figure> {
        MODELLED.into_iter().map(|replicas| {
            let cost = self.with(replicas);
            let polls = self.polls(replicas);
            let mut figure = Figure::new(
                format!("model: revocation, {} p50", of_replicas(replicas)),
                cost.p50 * 1e3,
                "ms",
            );
            figure.details.extend([
                ("p99 ms", cost.p99 * 1e3),
                ("PostgreSQL ms", cost.database * 1e3),
                ("polls, % of a processor", polls * 1e2),
                (
                    "changes/s of a processor",
                    (1.0 - polls).max(0.0) / cost.database,
                ),
            ]);
            figure
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_continues_the_line_through_one_and_three_replicas() {
        let cost = |milliseconds: f64| Cost {
            p50: milliseconds / 1e3,
            p99: milliseconds / 5e2,
            database: milliseconds / 1e4,
        };
        let model = Model::of(&cost(4.0), &cost(6.0));
        assert!((model.with(3).p50 - 6e-3).abs() < 1e-9);
        assert!((model.with(100).p99 - 0.206).abs() < 1e-9);
        // 0.1 ms of PostgreSQL for each poll, four times a second.
        assert!((model.polls(100) - 0.04).abs() < 1e-9);
        let figures: Vec<_> = model.figures().collect();
        assert_eq!(figures.len(), MODELLED.len());
        let changes = figures[2].details["changes/s of a processor"];
        assert!((changes - 0.96 / 0.0103).abs() < 1e-6, "{changes}");
        // Noise must not make replicas cheaper than none.
        assert_eq!(Model::of(&cost(6.0), &cost(4.0)).with(100).p50, 6e-3);
    }
}
