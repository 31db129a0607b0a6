//! What was measured as tables, judged by the limits, and as the document.

use std::fmt::Write;

use anyhow::{Result, bail};

use super::Effort;
use super::criterion::Timing;
use super::flood::{Flood, SIGN_INS, STEADY};
use super::footprint::{Footprint, STARTS};
use super::load::CONNECTIONS;
use super::machine::Circumstances;
use super::pages::PageScores;
use super::rounds::{Load, Rounds};
use crate::tools;

/// The text around the tables.
const TEMPLATE: &str = include_str!("benchmarks.md");

const MIB: f64 = 1024.0 * 1024.0;

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) circumstances: Circumstances,
    pub(crate) effort: Effort,
    pub(crate) rounds: Rounds,
    pub(crate) footprint: Footprint,
    pub(crate) flood: Flood,
    pub(crate) pages: Vec<PageScores>,
    pub(crate) timings: Vec<Timing>,
}

/// A figure and what it may be.
struct Judged {
    what: String,
    figure: f64,
    unit: &'static str,
    limit: Limit,
}

enum Limit {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
    None,
}

impl Judged {
    fn new(what: impl Into<String>, figure: f64, unit: &'static str, limit: Limit) -> Self {
        Self {
            what: what.into(),
            figure,
            unit,
            limit,
        }
    }

    /// What is no number keeps no limit.
    fn is_kept(&self) -> bool {
        match self.limit {
            Limit::AtLeast(least) => self.figure >= least,
            Limit::AtMost(most) => self.figure <= most,
            Limit::Below(bound) => self.figure < bound,
            Limit::None => true,
        }
    }

    fn row(&self) -> Vec<String> {
        let unit = self.unit;
        let limit = match self.limit {
            Limit::AtLeast(least) => format!("≥ {least}{unit}"),
            Limit::AtMost(most) => format!("≤ {most}{unit}"),
            Limit::Below(bound) => format!("< {bound}{unit}"),
            Limit::None => String::new(),
        };
        let verdict = match (&self.limit, self.is_kept()) {
            (Limit::None, _) => "",
            (_, true) => "OK",
            (Limit::AtLeast(_), false) => "UNDER",
            (_, false) => "OVER",
        };
        vec![self.what.clone(), self.shown(), limit, verdict.to_owned()]
    }

    fn shown(&self) -> String {
        let digits = if self.unit.is_empty() { 2 } else { 1 };
        format!("{:.digits$}{}", self.figure, self.unit)
    }
}

impl Report {
    /// What the terminal shows.
    pub(crate) fn tables(&self) -> String {
        [
            self.loads(),
            self.ratio_table(),
            self.footprint_table(),
            self.flood_table(),
            self.page_table(),
            self.functions(),
        ]
        .join("\n\n")
    }

    /// The whole document.
    pub(crate) fn document(&self) -> String {
        let Effort {
            tenants,
            keys_each,
            unknown,
            rounds,
            time,
            ..
        } = self.effort;
        let Circumstances {
            machine,
            date,
            commit,
            compiler,
            slots: _,
        } = &self.circumstances;
        let values = [
            ("machine", machine.clone()),
            ("date", date.clone()),
            ("commit", commit.clone()),
            ("compiler", compiler.clone()),
            ("oha", tools::OHA.to_owned()),
            ("command", self.effort.command()),
            ("loads", self.loads()),
            ("ratios", self.ratio_table()),
            ("footprint", self.footprint_table()),
            ("flood", self.flood_table()),
            ("sign_ins", SIGN_INS.to_string()),
            ("steady", STEADY.to_string()),
            ("pages", self.page_table()),
            ("audits", self.effort.audits.to_string()),
            ("functions", self.functions()),
            ("keys", grouped(u64::from(tenants * keys_each))),
            ("tenants", grouped(tenants.into())),
            ("unknown", grouped(unknown as u64)),
            ("rounds", rounds.to_string()),
            ("seconds", time.as_secs().to_string()),
            ("connections", CONNECTIONS.to_string()),
            ("starts", STARTS.to_string()),
        ];
        values
            .iter()
            .fold(TEMPLATE.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{name}}}"), value)
            })
    }

    /// # Errors
    /// When a figure is beyond its limit.
    pub(crate) fn judge(&self) -> Result<()> {
        let over: Vec<String> = self
            .ratios()
            .into_iter()
            .chain(self.footprint_figures())
            .chain(self.flood_figures())
            .chain(self.page_figures())
            .filter(|judged| !judged.is_kept())
            .map(|judged| judged.row().join(" "))
            .collect();
        if !over.is_empty() {
            bail!("beyond the limit: {}", over.join("; "));
        }
        Ok(())
    }

    fn loads(&self) -> String {
        let head = [
            "load",
            "CPU a request",
            "reads a request",
            "requests/s",
            "p50",
            "p99",
            "requests in all",
        ];
        let row = |load: &Load| {
            let median =
                |figure: fn(&super::rounds::Sample) -> f64| self.rounds.median(*load, figure);
            vec![
                name(*load).to_owned(),
                format!("{:.1} µs", median(|sample| sample.cpu) * 1e6),
                format!("{:.2}", median(|sample| sample.reads)),
                grouped(median(|sample| sample.answers.per_second).round() as u64),
                format!("{:.2} ms", median(|sample| sample.answers.p50) * 1e3),
                format!("{:.2} ms", median(|sample| sample.answers.p99) * 1e3),
                grouped(self.rounds.requests(*load)),
            ]
        };
        table(&head, &Load::ALL.iter().map(row).collect::<Vec<_>>())
    }

    fn ratio_table(&self) -> String {
        judged_table("CPU a request, as a ratio", &self.ratios())
    }

    fn footprint_table(&self) -> String {
        judged_table("start and memory", &self.footprint_figures())
    }

    fn ratios(&self) -> Vec<Judged> {
        let ratio = |load, base, limit| {
            let what = format!("{} / {}", name(load), name(base));
            Judged::new(what, self.rounds.ratio(load, base), "", limit)
        };
        vec![
            ratio(Load::Guarded, Load::Twin, Limit::AtMost(1.2)),
            ratio(Load::Guarded, Load::Bare, Limit::AtMost(1.35)),
            ratio(Load::Guarded, Load::BareAnswer, Limit::None),
            ratio(Load::BareAnswer, Load::Bare, Limit::None),
            ratio(Load::Twin, Load::Bare, Limit::None),
            ratio(Load::GuardedAnyKey, Load::TwinAnyKey, Limit::None),
            ratio(Load::Uncached, Load::GuardedAnyKey, Limit::None),
            ratio(Load::Unknown, Load::GuardedAnyKey, Limit::None),
            ratio(Load::Junk, Load::GuardedAnyKey, Limit::None),
        ]
    }

    fn footprint_figures(&self) -> Vec<Judged> {
        let Footprint {
            start,
            idle,
            cached,
            after_unknown,
        } = self.footprint;
        let keys = grouped(u64::from(self.effort.tenants * self.effort.keys_each));
        let unknown = grouped(self.effort.unknown as u64);
        let growth = (after_unknown as f64 / cached as f64 - 1.0) * 100.0;
        vec![
            Judged::new("start", start * 1e3, " ms", Limit::Below(300.0)),
            Judged::new(
                "memory, idle",
                idle as f64 / MIB,
                " MiB",
                Limit::Below(40.0),
            ),
            Judged::new(
                format!("memory, {keys} keys presented"),
                cached as f64 / MIB,
                " MiB",
                Limit::Below(150.0),
            ),
            Judged::new(
                format!("memory, growth by {unknown} unknown keys"),
                growth,
                " %",
                Limit::AtMost(10.0),
            ),
        ]
    }

    fn flood_table(&self) -> String {
        judged_table(
            &format!("{SIGN_INS} sign-ins at once"),
            &self.flood_figures(),
        )
    }

    fn flood_figures(&self) -> Vec<Judged> {
        let Flood {
            calm,
            flooded,
            slowest,
            fresh,
            before,
            most,
        } = self.flood;
        let slots = self.circumstances.slots as f64;
        vec![
            Judged::new("p99 of checks, without", calm * 1e3, " ms", Limit::None),
            Judged::new(
                "p99 of checks, beside them",
                flooded * 1e3,
                " ms",
                Limit::None,
            ),
            Judged::new(
                "p99 of checks, rise",
                (flooded - calm) * 1e3,
                " ms",
                Limit::AtMost(10.0),
            ),
            Judged::new("slowest sign-in", slowest, " s", Limit::AtMost(5.0)),
            Judged::new(
                "memory, before any sign-in",
                fresh as f64 / MIB,
                " MiB",
                Limit::None,
            ),
            Judged::new("memory, at most", most as f64 / MIB, " MiB", Limit::None),
            Judged::new(
                "memory, growth",
                most.saturating_sub(before) as f64 / MIB,
                " MiB",
                Limit::AtMost(slots * 19.0),
            ),
        ]
    }

    fn page_table(&self) -> String {
        judged_table("Lighthouse, performance", &self.page_figures())
    }

    fn page_figures(&self) -> Vec<Judged> {
        self.pages
            .iter()
            .map(|page| Judged::new(&page.name, page.median(), "", Limit::AtLeast(92.0)))
            .collect()
    }

    fn functions(&self) -> String {
        if self.timings.is_empty() {
            return "None were measured.".to_owned();
        }
        let row = |timing: &Timing| vec![timing.name.clone(), short(timing.nanoseconds)];
        table(
            &["function", "time"],
            &self.timings.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

const fn name(load: Load) -> &'static str {
    match load {
        Load::Bare => "bare axum",
        Load::BareAnswer => "bare axum, same answer",
        Load::Twin => "twin",
        Load::Guarded => "check, one key",
        Load::TwinAnyKey => "twin, any key",
        Load::GuardedAnyKey => "check, any key",
        Load::Uncached => "check, uncached",
        Load::Unknown => "unknown keys",
        Load::Junk => "junk",
    }
}

fn judged_table(what: &str, judged: &[Judged]) -> String {
    let rows: Vec<_> = judged.iter().map(Judged::row).collect();
    table(&[what, "", "limit", ""], &rows)
}

/// A table of Markdown that can be read as it is: the first column to the left, the others to the right.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|text| (*text).to_owned()).collect();
    let width = |column: usize| {
        rows.iter()
            .chain([&head])
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            // Of the line below the head.
            .max(4)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let rule: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    let mut text = String::new();
    for row in [&head, &rule].into_iter().chain(rows) {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a String cannot fail.
            let _ = match column {
                0 => write!(text, "| {cell:<width$} |"),
                _ => write!(text, " {cell:>width$} |"),
            };
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time with the unit that suits it.
fn short(nanoseconds: f64) -> String {
    let (figure, unit) = match nanoseconds {
        time if time < 1e3 => (time, "ns"),
        time if time < 1e6 => (time / 1e3, "µs"),
        time => (time / 1e6, "ms"),
    };
    let digits = if figure < 100.0 { 1 } else { 0 };
    format!("{figure:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::load::Answers;
    use crate::bench::rounds::Sample;

    #[test]
    fn a_figure_is_judged_by_its_limit() {
        let verdict = |figure, limit| Judged::new("x", figure, " ms", limit).row()[3].clone();
        assert_eq!(verdict(1.2, Limit::AtMost(1.2)), "OK");
        assert_eq!(verdict(1.21, Limit::AtMost(1.2)), "OVER");
        assert_eq!(verdict(300.0, Limit::Below(300.0)), "OVER");
        assert_eq!(verdict(f64::NAN, Limit::Below(300.0)), "OVER");
        assert_eq!(verdict(92.0, Limit::AtLeast(92.0)), "OK");
        assert_eq!(verdict(91.0, Limit::AtLeast(92.0)), "UNDER");
        assert_eq!(verdict(9.0, Limit::None), "");
    }

    #[test]
    fn tables_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&["load", "time"], &[row(["check, one key", "7.1 µs"])]);
        assert_eq!(
            text,
            "| load           |   time |\n\
             | -------------- | -----: |\n\
             | check, one key | 7.1 µs |"
        );
    }

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!(grouped(100), "100");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(short(8.04), "8.0 ns");
        assert_eq!(short(1_250.0), "1.2 µs");
        assert_eq!(short(345_600.0), "346 µs");
    }

    #[test]
    fn the_document_has_every_figure_in_its_place() {
        let round = Load::ALL.map(|_| Sample {
            cpu: 12e-6,
            reads: 0.25,
            answers: Answers {
                requests: 50_000,
                per_second: 10_000.0,
                p50: 0.002,
                p99: 0.009,
            },
        });
        let report = Report {
            circumstances: Circumstances {
                machine: "2 cores".to_owned(),
                date: "2026-03-02".to_owned(),
                commit: "0123456789ab".to_owned(),
                compiler: "rustc 1.95.0".to_owned(),
                slots: 1,
            },
            effort: Effort::full(7, Duration::from_secs(5)),
            rounds: Rounds(vec![round.to_vec()]),
            footprint: Footprint {
                start: 0.25,
                idle: 30 << 20,
                cached: 100 << 20,
                after_unknown: 101 << 20,
            },
            flood: Flood {
                calm: 0.002,
                flooded: 0.0075,
                slowest: 2.25,
                fresh: 24 << 20,
                before: 50 << 20,
                most: 68 << 20,
            },
            pages: vec![PageScores {
                name: "the list".to_owned(),
                scores: vec![99.0, 93.0, 71.0],
            }],
            timings: vec![Timing {
                name: "digest".to_owned(),
                nanoseconds: 69.0,
            }],
        };
        let document = report.document();
        assert!(!document.contains(['{', '}']), "{document}");
        for figure in [
            "12.0 µs",
            "0.25",
            "10,000",
            "9.00 ms",
            "250.0 ms",
            "1.0 %",
            "69.0 ns",
            "5.5 ms",
            "2.2 s",
            "18.0 MiB",
            "1,000,000",
            "93.00",
        ] {
            assert!(document.contains(figure), "{figure}: {document}");
        }
        report.judge().expect("nothing is over");
        let footprint = Footprint {
            idle: 40 << 20,
            ..report.footprint
        };
        let error = Report {
            footprint,
            ..report
        }
        .judge()
        .expect_err("too much");
        assert_eq!(
            error.to_string(),
            "beyond the limit: memory, idle 40.0 MiB < 40 MiB OVER"
        );
    }
}
