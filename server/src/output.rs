//! The output of a command: the one place that writes to standard output.

use std::{
    io::{self, ErrorKind, Write as _},
    iter,
};

use chrono::{DateTime, Utc};
use domain::page::Page;
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

/// Prints the output of one command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

/// A row of a table.
pub(crate) trait Row {
    /// The column headings.
    const HEADINGS: &'static [&'static str];
    /// One cell per column.
    fn cells(&self) -> Vec<String>;
}

impl Output {
    /// JSON if `json`, else text for people.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// One item: a JSON object, or a table of one row.
    pub(crate) fn one<Thing: Row + Serialize>(self, thing: &Thing) -> Result<(), Failure> {
        if self.json {
            self.object(thing)
        } else {
            write_stdout(table(Thing::HEADINGS, &[thing.cells()]))
        }
    }

    /// A list: a JSON array, or a table. `none` is the note for an empty one.
    pub(crate) fn list<Thing: Row + Serialize>(
        self,
        things: &[Thing],
        none: &str,
    ) -> Result<(), Failure> {
        if self.json {
            return self.object(&things);
        }
        if things.is_empty() {
            self.note(none);
            return Ok(());
        }
        let rows: Vec<_> = things.iter().map(Row::cells).collect();
        write_stdout(table(Thing::HEADINGS, &rows))
    }

    /// A page of a list: a JSON object with `items` and `next_cursor` as in the API, or a table and a note on how to continue.
    pub(crate) fn page<Thing: Row + Serialize>(
        self,
        page: &Page<Thing>,
        none: &str,
    ) -> Result<(), Failure> {
        if self.json {
            let (items, next_cursor) = (&page.items, &page.next_cursor);
            return self.object(&json!({ "items": items, "next_cursor": next_cursor }));
        }
        self.list(&page.items, none)?;
        if let Some(cursor) = &page.next_cursor {
            self.note(&format!("There are more: add --cursor {cursor}"));
        }
        Ok(())
    }

    /// A secret or a password on a line of its own, which a script can use unchanged; as JSON, the whole `object`.
    pub(crate) fn secret(self, secret: &str, object: &impl Serialize) -> Result<(), Failure> {
        if self.json {
            self.object(object)
        } else {
            write_stdout(format!("{secret}\n"))
        }
    }

    /// Prints lines for people, or an object as JSON.
    pub(crate) fn text(self, lines: &str, object: &impl Serialize) -> Result<(), Failure> {
        if self.json {
            self.object(object)
        } else {
            write_stdout(lines)
        }
    }

    /// The bytes of a file, unchanged.
    pub(crate) fn file(self, bytes: &[u8]) -> Result<(), Failure> {
        write_stdout(bytes)
    }

    fn object(self, object: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_string(object)
            .map_err(|error| Failure::new(format!("cannot serialise the output: {error}")))?;
        line.push('\n');
        write_stdout(line)
    }

    /// Writes a note to standard error, unless the output is JSON.
    pub(crate) fn note(self, line: &str) {
        if !self.json {
            eprintln!("{line}");
        }
    }
}

fn write_stdout(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        // The reader closed the pipe, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(format!(
            "cannot write to standard output: {error}"
        ))),
        Ok(()) => Ok(()),
    }
}

/// Aligned columns, two spaces apart, with a line of headings.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|text| (*text).to_owned()).collect();
    let width = |column: usize| {
        iter::once(&headings)
            .chain(rows)
            .filter_map(|row| row.get(column))
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    for row in iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A time in a table; the column heading contains "UTC".
pub(crate) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}

/// As [`minute`]; a dash for `None`.
pub(crate) fn minute_or_dash(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "–".to_owned(), minute)
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [
            vec!["Köln".to_owned(), "a".to_owned()],
            vec!["Rotterdam".to_owned(), "b".to_owned()],
        ];
        assert_eq!(
            table(&["NAME", "X"], &rows),
            "NAME       X\nKöln       a\nRotterdam  b\n"
        );
    }
}
