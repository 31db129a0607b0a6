//! `latchkey restore`

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use domain::{
    id::KeyId,
    store::restore::{Restoration, Restored, Word, restore},
};

use crate::{
    clock,
    config::Config,
    failure::Failure,
    output::{Output, table},
};

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// A file that `latchkey backup` made; it is not changed
    file: PathBuf,
    /// Revoke this key in the restored database; may be repeated. Without a current database to compare with, list every key that was
    /// revoked or rotated since the backup
    #[arg(long, value_name = "ID")]
    revoke: Vec<KeyId>,
    /// Without a current database to compare with: no key was revoked or rotated since the backup
    #[arg(long, conflicts_with = "revoke")]
    nothing_was_revoked_since: bool,
}

impl RestoreArguments {
    pub(super) async fn run(self, config: &Config, output: Output) -> Result<(), Failure> {
        let word = Word {
            revoke: self.revoke,
            nothing_was_revoked: self.nothing_was_revoked_since,
            person: config.person.clone(),
        };
        let url = config.store_options(false).database_url;
        match restore(&url, &self.file, &word, clock::now()).await? {
            Restoration::Done(restored) => output.text(&lines(&restored), &restored),
            Restoration::WordNeeded { taken_at, reason } => Err(Failure::new(format!(
                "{reason}, so it is unknown which keys were revoked or rotated since {}: name each with --revoke ID, or say --nothing-was-revoked-since. Nothing was restored",
                second(taken_at)
            ))),
        }
    }
}

fn lines(restored: &Restored) -> String {
    let mut lines = format!(
        "{} is the backup of {}.\n",
        restored.path.display(),
        second(restored.taken_at)
    );
    if let Some(replaced) = &restored.replaced {
        lines.push_str(&format!(
            "The previous database, with its audit log, is kept as a backup: {}\n",
            replaced.display()
        ));
    }
    if restored.changes.is_empty() {
        lines.push_str(
            "Nothing differs from the backup, but that everybody has to sign in again.\n",
        );
        return lines;
    }
    let rows: Vec<_> = restored
        .changes
        .iter()
        .map(|change| {
            vec![
                change.action.as_str().to_owned(),
                change
                    .target
                    .id
                    .map_or_else(|| "–".to_owned(), |id| id.to_string()),
                change.target.name.clone(),
                change.reason.clone(),
            ]
        })
        .collect();
    lines.push_str("This differs from the backup, and everybody has to sign in again:\n");
    lines.push_str(&table(&["CHANGE", "ID", "NAME", "WHY"], &rows));
    lines
}

fn second(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
