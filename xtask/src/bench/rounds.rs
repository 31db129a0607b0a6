//! Loads on two servers, in rounds: other activity of the machine disturbs all loads of a round equally.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::effort::Effort;
use super::figure::{Figure, Limit, median};
use super::load::{self, Keys, Throughput};
use super::oha;
use super::server::{GUARDED, HELLO, HELLO_ANSWER, Installation, Server, TWIN, UNCACHED};
use crate::progress;

/// Name, path and keys. oha generates the loads with one key, `super::load` all others.
type Load = (&'static str, &'static str, Keys);

const LOADS: [Load; 9] = [
    ("bare axum", HELLO, Keys::One),
    ("bare axum, same answer", HELLO_ANSWER, Keys::One),
    ("twin", TWIN, Keys::One),
    ("check, one key", GUARDED, Keys::One),
    ("twin, any key", TWIN, Keys::Any),
    ("check, any key", GUARDED, Keys::Any),
    ("check, uncached", UNCACHED, Keys::Any),
    ("unknown keys", GUARDED, Keys::Unknown),
    ("junk", GUARDED, Keys::Junk),
];

/// The pairs of loads whose processor times are compared.
const RATIOS: [(&str, &str, Option<Limit>); 10] = [
    ("check, one key", "twin", Some(Limit::AtMost(1.2))),
    ("check, one key", "bare axum", Some(Limit::AtMost(1.35))),
    ("check, one key", "bare axum, same answer", None),
    ("bare axum, same answer", "bare axum", None),
    ("twin", "bare axum", None),
    ("check, any key", "twin, any key", None),
    ("check, uncached", "check, any key", None),
    ("unknown keys", "check, any key", None),
    ("junk", "check, any key", None),
    ("unknown keys", "junk", Some(Limit::AtMost(1.3))),
];

/// Whether the server writes usage for requests to this path.
fn is_checked(path: &str) -> bool {
    [GUARDED, UNCACHED].contains(&path)
}

/// The cost of one load in one round.
#[derive(Clone, Copy, Default)]
struct Sample {
    /// Seconds of the server's processor time per request.
    cpu: f64,
    /// Database reads of a key per request.
    reads: f64,
    throughput: Throughput,
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

    fn sample(&self, (_, path, keys): Load, time: Duration) -> Result<Sample> {
        let is_bare = [HELLO, HELLO_ANSWER].contains(&path);
        let server = if is_bare { self.bare } else { self.latchkey };
        let (reads, cpu) = (server.database_reads()?, server.cpu()?);
        let secrets = &self.installation.secrets;
        let throughput = if keys == Keys::One {
            oha::run(self.oha, server.address, path, &secrets[0], time)?
        } else {
            let started = Instant::now();
            let is_over = |_| started.elapsed() >= time;
            load::run(server.address, path, keys, secrets, is_over)?
        };
        if is_checked(path) {
            server.wait_until_at_rest()?;
        }
        let cpu = server.cpu()? - cpu;
        server.empty_log()?;
        let requests = throughput.requests as f64;
        Ok(Sample {
            cpu: cpu.as_secs_f64() / requests,
            reads: (server.database_reads()? - reads) as f64 / requests,
            throughput,
        })
    }
}

/// The medians of each load, then the ratios. Each round has a sample of each load, in the order of [`LOADS`].
fn figures(rounds: &[[Sample; LOADS.len()]]) -> Vec<Figure> {
    let loads = LOADS.iter().enumerate().map(|(place, (name, ..))| {
        let samples = || rounds.iter().map(move |round| round[place]);
        let median_of = |figure: fn(Sample) -> f64| median(samples().map(figure));
        let requests = samples().map(|sample| sample.throughput.requests as f64);
        let cpu = median_of(|sample| sample.cpu * 1e6);
        let mut figure = Figure::new(*name, cpu, "µs");
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
            LOADS.map(|(_, path, _)| Sample {
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
