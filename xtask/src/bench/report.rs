//! The figures as a table, as JSON and in the document.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use procfs::{CpuInfo, Current, LoadAverage, Meminfo};
use serde::Serialize;

use super::effort::{Console, Effort};
use super::figure::{Figure, grouped};
use crate::command;
use crate::profile::Profile;
use crate::tools;
use crate::workspace::Workspace;

/// The lines of the document around a table.
pub(crate) type Marks = [&'static str; 2];

/// Around the table of all parts but the console's.
pub(crate) const MARKS: Marks = [
    "<!-- Written by cargo xtask bench. -->\n",
    "<!-- End of what it writes. -->",
];

/// Around the table of the console.
pub(crate) const CONSOLE_MARKS: Marks = [
    "<!-- Written by cargo xtask bench --only console. -->\n",
    "<!-- End of the console's table. -->",
];

/// Around the table of PostgreSQL.
pub(crate) const POSTGRES_MARKS: Marks = [
    "<!-- Written by cargo xtask bench --only postgres. -->\n",
    "<!-- End of PostgreSQL's table. -->",
];

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) circumstances: Circumstances,
    pub(crate) figures: Vec<Figure>,
}

/// Time, machine and method of the measurement.
pub(crate) type Circumstances = BTreeMap<&'static str, String>;

/// Collects the circumstances. Must be called before the measurements, when only other programs load the machine.
pub(crate) fn circumstances(workspace: &Workspace, effort: &Effort) -> Result<Circumstances> {
    let line = |command: &str| -> Result<String> {
        let mut words = command.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        let text = command::output(command.args(words).current_dir(&workspace.root))?;
        Ok(text.trim().to_owned())
    };
    let machine = format!(
        "{} cores of {}, {:.0} GiB of memory, Linux {}, a load of {} before the first measurement",
        std::thread::available_parallelism()?,
        CpuInfo::current()?
            .model_name(0)
            .unwrap_or("an unknown processor"),
        Meminfo::current()?.mem_total as f64 / f64::from(1 << 30),
        line("uname -r")?,
        LoadAverage::current()?.one,
    );
    let command = match effort.time.as_secs() {
        _ if effort.profile == Profile::Debug => "cargo xtask bench --quick".to_owned(),
        seconds => format!(
            "cargo xtask bench --rounds {} --seconds {seconds}",
            effort.rounds
        ),
    };
    let keys = grouped(u64::from(effort.tenants * effort.keys_each));
    let tenants = grouped(effort.tenants.into());
    Ok(BTreeMap::from([
        ("machine", machine),
        ("date", line("date -u +%F")?),
        (
            "commit",
            line("git describe --always --dirty --abbrev=12 --exclude=*")?,
        ),
        ("compiler", line("rustc --version")?),
        ("load generator", format!("oha {}", tools::OHA)),
        ("database", format!("{keys} keys of {tenants} tenants")),
        ("command", command),
    ]))
}

/// The circumstances of the console's part.
pub(crate) fn of_console(mut circumstances: Circumstances, console: &Console) -> Circumstances {
    let [tenants, keys, events, used_keys] = [
        console.tenants,
        console.keys,
        console.events,
        console.used_keys,
    ]
    .map(|number| grouped(number.into()));
    circumstances.remove("load generator");
    circumstances.insert("command", "cargo xtask bench --only console".to_owned());
    circumstances.insert(
        "database",
        format!(
            "{tenants} tenants; one of them has {keys} keys, {events} audit events and 90 days of usage of {used_keys} keys"
        ),
    );
    circumstances
}

/// The circumstances of PostgreSQL's part.
pub(crate) fn of_postgres(mut circumstances: Circumstances) -> Result<Circumstances> {
    let postgres = tools::postgres_binaries()?.join("postgres");
    let version = command::output(Command::new(postgres).arg("--version"))?;
    circumstances.remove("load generator");
    if let Some(database) = circumstances.get_mut("database") {
        *database = format!("{database}; {}, default settings", version.trim());
    }
    Ok(circumstances)
}

impl Report {
    /// The figures as a table of Markdown.
    pub(crate) fn table(&self) -> String {
        let head = ["figure", "value", "limit", "", "details"].map(str::to_owned);
        let rows: Vec<_> = self.figures.iter().map(Figure::row).collect();
        let width = |column: usize| {
            let cells = rows
                .iter()
                .chain([&head])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or_default().max(3)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        let line = |cells: &[String; 5]| {
            let [name, value, limit, verdict, details] = cells;
            let [a, b, c, d, e] = widths;
            format!("| {name:a$} | {value:>b$} | {limit:>c$} | {verdict:d$} | {details:e$} |\n")
        };
        let rule: [String; 5] =
            std::array::from_fn(|column| match ("-".repeat(widths[column] - 1), column) {
                (rule, 1 | 2) => rule + ":",
                (rule, _) => rule + "-",
            });
        [&head, &rule].into_iter().chain(&rows).map(line).collect()
    }

    /// The document with this table and its circumstances in place of the earlier ones between `marks`.
    pub(crate) fn put_into(&self, document: &str, [begin, end]: Marks) -> Result<String> {
        let (before, rest) = document.split_once(begin).context(begin)?;
        let (_, after) = rest.split_once(end).context(end)?;
        let circumstances = self.circumstances.iter();
        let circumstances: String = circumstances
            .map(|(name, value)| format!("- {name}: {value}\n"))
            .collect();
        let table = self.table();
        Ok(format!(
            "{before}{begin}\n{circumstances}\n{table}\n{end}{after}"
        ))
    }

    pub(crate) fn judge(&self) -> Result<()> {
        let beyond = self.figures.iter().filter(|figure| !figure.is_within());
        let beyond: Vec<_> = beyond.map(|figure| figure.row()[..4].join(" ")).collect();
        ensure!(beyond.is_empty(), "beyond the limit: {}", beyond.join("; "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::Limit;
    use super::*;

    fn report(idle: f64) -> Report {
        let mut check = Figure::new("check, one key", 12.94, "µs");
        check
            .details
            .extend([("p50 ms", 0.272), ("requests/s", 79_525.4)]);
        let circumstances = [("commit", "0123456789ab"), ("machine", "2 cores")];
        Report {
            circumstances: circumstances
                .map(|(name, value)| (name, value.to_owned()))
                .into(),
            figures: vec![
                check,
                Figure::new("memory, idle", idle, "MiB").limit(Limit::Below(40.0)),
            ],
        }
    }

    #[test]
    fn the_table_replaces_the_earlier_one_in_the_document() {
        let [begin, end] = MARKS;
        let document = format!("# Benchmarks\n\n{begin}old\n{end}\n\nWhat they mean.\n");
        let expected = format!(
            "# Benchmarks\n\n{begin}\n\
             - commit: 0123456789ab\n\
             - machine: 2 cores\n\n\
             | figure         |    value |    limit |     | details                        |\n\
             | -------------- | -------: | -------: | --- | ------------------------------ |\n\
             | check, one key |  12.9 µs |          |     | p50 ms 0.27, requests/s 79,525 |\n\
             | memory, idle   | 31.1 MiB | < 40 MiB | OK  |                                |\n\n\
             {end}\n\nWhat they mean.\n"
        );
        let written = report(31.1).put_into(&document, MARKS).expect("marked");
        assert_eq!(written, expected);
        assert_eq!(
            report(31.1).put_into(&written, MARKS).expect("marked"),
            expected
        );
        assert!(report(31.1).put_into("# Benchmarks", MARKS).is_err());
    }

    #[test]
    fn each_table_replaces_its_own_one() {
        let [begin, end] = MARKS;
        let [console_begin, console_end] = CONSOLE_MARKS;
        let document = format!("{begin}old\n{end}\n\n{console_begin}old\n{console_end}\n");
        let written = report(31.1)
            .put_into(&document, CONSOLE_MARKS)
            .expect("marked");
        assert!(written.starts_with(&format!("{begin}old\n{end}\n\n{console_begin}\n- commit")));
        let written = report(31.1).put_into(&document, MARKS).expect("marked");
        assert!(written.ends_with(&format!("{console_begin}old\n{console_end}\n")));
    }

    #[test]
    fn a_figure_beyond_its_limit_fails_and_is_in_the_json() {
        report(31.1).judge().expect("within");
        let error = report(40.0).judge().expect_err("beyond").to_string();
        assert_eq!(
            error,
            "beyond the limit: memory, idle 40.0 MiB < 40 MiB BEYOND"
        );
        let json = serde_json::to_value(report(40.0)).expect("serializable");
        assert_eq!(json["figures"][1]["limit"]["below"], 40.0);
        assert_eq!(json["figures"][0]["details"]["p50 ms"], 0.272);
    }
}
