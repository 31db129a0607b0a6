//! Loads on two servers, in rounds: other activity of the machine disturbs all loads of a round equally.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::effort::Effort;
use super::figure::{Figure, Limit, median};
use super::load::{self, Keys, Throughput};
use super::oha;
use super::server::{
    FORWARD_AUTH, GUARDED, HELLO, HELLO_ANSWER, Installation, Server, TWIN, UNCACHED,
};
use crate::progress;

/// Name, path, keys, and limit on the processor time in microseconds. oha generates the loads with one key, `super::load` all others.
type Load = (&'static str, &'static str, Keys, Option<Limit>);

const LOADS: [Load; 10] = [
    ("bare axum", HELLO, Keys::One, None),
    ("bare axum, same answer", HELLO_ANSWER, Keys::One, None),
    ("twin", TWIN, Keys::One, None),
    ("check, one key", GUARDED, Keys::One, None),
    ("forward-auth", FORWARD_AUTH, Keys::One, None),
    ("twin, any key", TWIN, Keys::Any, None),
    ("check, any key", GUARDED, Keys::Any, None),
    (
        "check, uncached",
        UNCACHED,
        Keys::Any,
        Some(Limit::AtMost(120.0)),
    ),
    ("unknown keys", GUARDED, Keys::Unknown, None),
    ("junk", GUARDED, Keys::Junk, None),
];

/// The pairs of loads whose processor times are compared.
const RATIOS: [(&str, &str, Option<Limit>); 11] = [
    ("check, one key", "twin", Some(Limit::AtMost(1.1))),
    (
        "check, one key",
        "bare axum, same answer",
        Some(Limit::AtMost(1.35)),
    ),
    (
        "forward-auth",
        "bare axum, same answer",
        Some(Limit::AtMost(1.3)),
    ),
    ("check, one key", "bare axum", None),
    ("bare axum, same answer", "bare axum", None),
    ("twin", "bare axum", None),
    ("check, any key", "twin, any key", Some(Limit::AtMost(1.6))),
    ("check, uncached", "check, any key", None),
    ("unknown keys", "check, any key", None),
    ("junk", "check, any key", None),
    ("unknown keys", "junk", Some(Limit::AtMost(1.3))),
];

/// Whether the server writes usage for requests to this path.
fn is_checked(path: &str) -> bool {
    [GUARDED, FORWARD_AUTH, UNCACHED].contains(&path)
}

/// The cost of one load in one round.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    /// Seconds of the server's processor time per request.
    cpu: f64,
    /// Database reads of a key per request.
    reads: f64,
    pub(crate) throughput: Throughput,
}

impl Sample {
    /// The cost of `load`, which requests `path`, including the work that its requests cause later.
    pub(crate) fn of(
        server: &Server,
        path: &str,
        load: impl FnOnce() -> Result<Throughput>,
    ) -> Result<Self> {
        let (reads, cpu) = (server.database_reads()?, server.cpu()?);
        let throughput = load()?;
        if is_checked(path) {
            server.wait_until_at_rest()?;
        }
        let cpu = server.cpu()? - cpu;
        server.empty_log()?;
        let requests = throughput.requests as f64;
        Ok(Self {
            cpu: cpu.as_secs_f64() / requests,
            reads: (server.database_reads()? - reads) as f64 / requests,
            throughput,
        })
    }

    /// The medians of the samples of a load.
    pub(crate) fn figure(name: impl Into<String>, samples: &[Self]) -> Figure {
        let median_of = |figure: fn(&Self) -> f64| median(samples.iter().map(figure));
        let requests = samples
            .iter()
            .map(|sample| sample.throughput.requests as f64);
        let mut figure = Figure::new(name, median_of(|sample| sample.cpu * 1e6), "µs");
        figure.details.extend([
            ("reads", median_of(|sample| sample.reads)),
            ("requests", requests.sum()),
            (
                "requests/s",
                median_of(|sample| sample.throughput.per_second),
            ),
            ("p50 ms", median_of(|sample| sample.throughput.p50 * 1e3)),
            ("p99 ms", median_of(|sample| sample.throughput.p99 * 1e3)),
        ]);
        figure
    }
}

/// The servers under load.
pub(crate) struct Contest<'a> {
    pub(crate) oha: &'a Path,
    pub(crate) installation: &'a Installation,
    /// Latchkey, with every key in its cache.
    pub(crate) latchkey: &'a Server,
    pub(crate) bare: &'a Server,
}

impl Contest<'_> {
    /// Measures every load in every round, every second round in reverse order. Before that, each load runs for a second to warm up.
    pub(crate) fn run(&self, effort: &Effort) -> Result<Vec<Figure>> {
        for load in LOADS {
            self.sample(load, Duration::from_secs(1))?;
        }
        let mut rounds = Vec::new();
        for number in 0..effort.rounds {
            let mut places: Vec<_> = (0..LOADS.len()).collect();
            if number % 2 == 1 {
                places.reverse();
            }
            let mut round = [Sample::default(); LOADS.len()];
            for place in places {
                round[place] = self.sample(LOADS[place], effort.time)?;
            }
            rounds.push(round);
            progress::print(&format!("round {} of {}", number + 1, effort.rounds));
        }
        Ok(figures(&rounds))
    }

    fn sample(&self, (_, path, keys, _): Load, time: Duration) -> Result<Sample> {
        let is_bare = [HELLO, HELLO_ANSWER].contains(&path);
        let server = if is_bare { self.bare } else { self.latchkey };
        let secrets = &self.installation.secrets;
        Sample::of(server, path, || {
            if keys == Keys::One {
                return oha::run(self.oha, server.address, path, &secrets[0], time);
            }
            let started = Instant::now();
            let is_over = |_| started.elapsed() >= time;
            load::run(server.address, path, keys, secrets, is_over)
        })
    }
}

/// The medians of each load, then the ratios. Each round has a sample of each load, in the order of [`LOADS`].
fn figures(rounds: &[[Sample; LOADS.len()]]) -> Vec<Figure> {
    let loads = LOADS.iter().enumerate().map(|(place, (name, .., limit))| {
        let samples: Vec<_> = rounds.iter().map(|round| round[place]).collect();
        Sample::figure(*name, &samples).limit(*limit)
    });
    let ratios = RATIOS.iter().map(|(load, base, limit)| {
        let place = |name| LOADS.iter().position(|(load, ..)| *load == name);
        // An unknown name yields NaN, which exceeds every limit.
        let ratio = match (place(*load), place(*base)) {
            (Some(load), Some(base)) => {
                median(rounds.iter().map(|round| round[load].cpu / round[base].cpu))
            }
            _ => f64::NAN,
        };
        Figure::new(format!("{load} / {base}"), ratio, "").limit(*limit)
    });
    loads.chain(ratios).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        // Each round is slower than the previous one; in each, the checked loads cost twice as much as the others.
        let round = |base: f64| {
            LOADS.map(|(_, path, ..)| Sample {
                cpu: if is_checked(path) { 2.0 * base } else { base },
                ..Sample::default()
            })
        };
        let mut rounds = [round(1.0), round(5.0), round(7.0)];
        let value = |rounds: &[_], name: &str| {
            let mut figures = figures(rounds).into_iter();
            figures
                .find(|figure| figure.name == name)
                .expect(name)
                .value
        };
        assert_eq!(value(&rounds, "check, one key / twin"), 2.0);
        assert_eq!(value(&rounds, "twin"), 5e6);
        // One disturbed round does not change the result.
        rounds[1][3].cpu = 100.0;
        assert_eq!(value(&rounds, "check, one key / twin"), 2.0);
        for (load, base, _) in RATIOS {
            let name = format!("{load} / {base}");
            assert!(value(&rounds, &name).is_finite(), "{name}");
        }
    }
}
