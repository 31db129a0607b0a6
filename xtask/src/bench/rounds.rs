//! Loads on three servers in one run, taking turns, so that whatever else the machine does disturbs all of them alike.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::Effort;
use super::load::{self, Answers, Extent, Keys};
use super::oha;
use super::server::{GUARDED, HELLO, HELLO_ANSWER, Installation, Server, TWIN, UNCACHED};
use crate::progress;

/// A load, a line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// oha, with one key: the bare axum.
    Bare,
    /// oha, with one key: the bare axum with the headers and a body like whoami's.
    BareAnswer,
    /// oha, with one key: the twin.
    Twin,
    /// oha, with one key: the check.
    Guarded,
    /// Any of all keys: the twin.
    TwinAnyKey,
    /// Any of all keys: the check.
    GuardedAnyKey,
    /// Any of all keys: the check without its memory.
    Uncached,
    /// Keys that do not exist.
    Unknown,
    /// Keys with a wrong checksum.
    Junk,
}

impl Load {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 9] = [
        Self::Bare,
        Self::BareAnswer,
        Self::Twin,
        Self::Guarded,
        Self::TwinAnyKey,
        Self::GuardedAnyKey,
        Self::Uncached,
        Self::Unknown,
        Self::Junk,
    ];

    /// Whether requests leave something to be written later.
    const fn is_checked(self) -> bool {
        !matches!(
            self,
            Self::Bare | Self::BareAnswer | Self::Twin | Self::TwinAnyKey
        )
    }
}

/// What one load cost in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Processor time of the server, in seconds a request.
    pub(crate) cpu: f64,
    /// How often the database was asked for a key, by request.
    pub(crate) reads: f64,
    pub(crate) answers: Answers,
}

/// Everything that was measured: for each round a sample of each load, in the order of [`Load::ALL`].
pub(crate) struct Rounds(pub(super) Vec<Vec<Sample>>);

impl Rounds {
    /// The median of one figure of a load.
    pub(crate) fn median(&self, load: Load, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.of(load).map(figure).collect())
    }

    /// How many times the processor time of `base` a request of `load` takes: the median of what each round says.
    pub(crate) fn ratio(&self, load: Load, base: Load) -> f64 {
        let pairs = self.of(load).zip(self.of(base));
        median(pairs.map(|(load, base)| load.cpu / base.cpu).collect())
    }

    /// Requests of all rounds.
    pub(crate) fn requests(&self, load: Load) -> u64 {
        self.of(load).map(|sample| sample.answers.requests).sum()
    }

    fn of(&self, load: Load) -> impl Iterator<Item = &Sample> {
        let place = Load::ALL.iter().position(|other| *other == load);
        self.0.iter().filter_map(move |round| round.get(place?))
    }
}

/// The middle one; of an even number the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// What the loads go against.
pub(crate) struct Contest<'a> {
    pub(crate) oha: &'a Path,
    pub(crate) installation: &'a Installation,
    /// Latchkey, which has seen every key.
    pub(crate) latchkey: &'a Server,
    pub(crate) bare: &'a Server,
}

impl Contest<'_> {
    /// Measures every load in every round, each second round in the opposite order; before that each for a second, which does not count.
    ///
    /// # Errors
    /// When a load fails.
    pub(crate) fn run(&self, effort: &Effort) -> Result<Rounds> {
        for load in Load::ALL {
            self.sample(load, Duration::from_secs(1))?;
        }
        let mut rounds = Vec::new();
        for number in 0..effort.rounds {
            let mut order: Vec<_> = Load::ALL.into_iter().enumerate().collect();
            if number % 2 == 1 {
                order.reverse();
            }
            let mut samples = order
                .into_iter()
                .map(|(place, load)| Ok((place, self.sample(load, effort.time)?)))
                .collect::<Result<Vec<_>>>()?;
            samples.sort_by_key(|(place, _)| *place);
            rounds.push(samples.into_iter().map(|(_, sample)| sample).collect());
            progress::say(&format!("round {} of {}", number + 1, effort.rounds));
        }
        Ok(Rounds(rounds))
    }

    fn sample(&self, load: Load, time: Duration) -> Result<Sample> {
        let server = match load {
            Load::Bare | Load::BareAnswer => self.bare,
            _ => self.latchkey,
        };
        // The bare axum has no database.
        let reads = || match load {
            Load::Bare | Load::BareAnswer => Ok(0),
            _ => server.database_reads(),
        };
        let (reads_before, before) = (reads()?, server.cpu()?);
        let answers = self.load(load, server, time)?;
        if load.is_checked() {
            server.wait_until_at_rest()?;
        }
        let cpu = server.cpu()? - before;
        server.empty_log()?;
        Ok(Sample {
            cpu: cpu.as_secs_f64() / answers.requests as f64,
            reads: (reads()? - reads_before) as f64 / answers.requests as f64,
            answers,
        })
    }

    fn load(&self, load: Load, server: &Server, time: Duration) -> Result<Answers> {
        let keys = &self.installation.secrets;
        let one_key = |path| {
            oha::run(
                self.oha,
                server.address,
                path,
                self.installation.key(),
                time,
            )
        };
        let many_keys =
            |path, keys, status| load::run(server.address, path, keys, Extent::For(time), status);
        match load {
            Load::Bare => one_key(HELLO),
            Load::BareAnswer => one_key(HELLO_ANSWER),
            Load::Twin => one_key(TWIN),
            Load::Guarded => one_key(GUARDED),
            Load::TwinAnyKey => many_keys(TWIN, Keys::Any(keys), 200),
            Load::GuardedAnyKey => many_keys(GUARDED, Keys::Any(keys), 200),
            Load::Uncached => many_keys(UNCACHED, Keys::Any(keys), 200),
            Load::Unknown => many_keys(GUARDED, Keys::Unknown, 401),
            Load::Junk => many_keys(GUARDED, Keys::Junk, 401),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu: f64) -> Sample {
        Sample {
            cpu,
            reads: 0.0,
            answers: Answers {
                requests: 10,
                per_second: 1.0,
                p50: 1.0,
                p99: 1.0,
            },
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_rounds_and_not_of_the_medians() {
        // Each round is slower than the one before; in each the twin takes twice the time of the bare one.
        let round = |bare: f64| vec![sample(bare), sample(bare), sample(2.0 * bare)];
        let mut rounds = Rounds(vec![round(1.0), round(5.0), round(7.0)]);
        assert_eq!(rounds.ratio(Load::Twin, Load::Bare), 2.0);
        assert_eq!(rounds.median(Load::Bare, |sample| sample.cpu), 5.0);
        assert_eq!(rounds.requests(Load::Twin), 30);
        // One round that was disturbed changes nothing.
        rounds.0[1][2].cpu = 100.0;
        assert_eq!(rounds.ratio(Load::Twin, Load::Bare), 2.0);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }
}
