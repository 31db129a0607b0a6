//! Measures the download size of the bundle's JavaScript and WebAssembly, raw and compressed.
#![expect(clippy::print_stdout, reason = "the command prints its table")]

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::bundle;
use crate::precompress::with_ending;
use crate::profile::Profile;
use crate::workspace::Workspace;

/// The limit of JavaScript and WebAssembly together, in bytes after brotli compression.
const LIMIT: u64 = 420_000;

/// The bytes of a file: raw, with gzip, with brotli.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    raw: u64,
    gzip: u64,
    brotli: u64,
}

/// Brings the release bundle up to date, prints its sizes and fails above [`LIMIT`].
///
/// # Errors
/// If the bundle does not compile or is too large.
pub(crate) fn size(workspace: &Workspace) -> Result<()> {
    let rows = measure(&bundle::build(workspace, Profile::Release)?)?;
    let total = total(&rows);
    print!("{}", table(&rows, &total));
    ensure!(
        total.brotli <= LIMIT,
        "the bundle has {} bytes with brotli; the limit is {LIMIT} (xtask/src/size.rs)",
        total.brotli
    );
    Ok(())
}

fn measure(dist: &Path) -> Result<Vec<Row>> {
    let bytes = |file: &Path| {
        Ok::<u64, anyhow::Error>(
            std::fs::metadata(file)
                .with_context(|| format!("cannot measure {}", file.display()))?
                .len(),
        )
    };
    let mut rows = Vec::new();
    let mut folders = vec![dist.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .with_context(|| format!("cannot list {}", folder.display()))?
        {
            let file = entry?.path();
            if file.is_dir() {
                folders.push(file);
            } else if file
                .extension()
                .is_some_and(|ending| ending == "js" || ending == "wasm")
            {
                let name = file.strip_prefix(dist)?.display().to_string();
                rows.push(Row {
                    name,
                    raw: bytes(&file)?,
                    gzip: bytes(&with_ending(&file, ".gz"))?,
                    brotli: bytes(&with_ending(&file, ".br"))?,
                });
            }
        }
    }
    rows.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(rows)
}

fn total(rows: &[Row]) -> Row {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum();
    Row {
        name: "total".to_owned(),
        raw: sum(|row| row.raw),
        gzip: sum(|row| row.gzip),
        brotli: sum(|row| row.brotli),
    }
}

fn table(rows: &[Row], total: &Row) -> String {
    let width = rows
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or(0)
        .max(total.name.len());
    let mut text = format!(
        "{:width$}  {:>10}  {:>10}  {:>10}\n",
        "bytes", "raw", "gzip", "brotli"
    );
    for row in rows.iter().chain([total]) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:width$}  {:>10}  {:>10}  {:>10}",
            row.name, row.raw, row.gzip, row.brotli
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_columns_are_aligned_and_the_last_row_is_the_total() {
        let rows = [
            Row {
                name: "frontend-0123456789abcdef.js".to_owned(),
                raw: 40_000,
                gzip: 9_000,
                brotli: 8_000,
            },
            Row {
                name: "frontend-0123456789abcdef_bg.wasm".to_owned(),
                raw: 600_000,
                gzip: 220_000,
                brotli: 160_000,
            },
        ];
        let total = total(&rows);
        assert_eq!(
            total,
            Row {
                name: "total".to_owned(),
                raw: 640_000,
                gzip: 229_000,
                brotli: 168_000
            }
        );
        let text = table(&rows, &total);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len()),
            "{text}"
        );
        assert!(
            lines[3].starts_with("total ") && lines[3].ends_with(" 168000"),
            "{text}"
        );
    }
}
