//! Bulk inserts: each statement costs a round trip, to another thread on SQLite and over the network on PostgreSQL.

use sea_orm::DbBackend;
use std::iter;

/// The rows of a `VALUES` list, `($1::uuid, $2::text), ($3::uuid, $4::text), …`, with a placeholder for each of `types`. Only PostgreSQL
/// needs the casts. On SQLite the placeholders have no number: sqlx asks for the name of each, and SQLite searches numbered ones one by one,
/// so that binding would take time in proportion to the square of the rows. The statement must have no other placeholders.
pub(super) fn placeholders(backend: DbBackend, types: &[&str], rows: usize) -> String {
    let mut text = String::new();
    let mut number = 0;
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (column, kind) in types.iter().enumerate() {
            number += 1;
            if column > 0 {
                text.push_str(", ");
            }
            if backend == DbBackend::Postgres {
                text.push('$');
                text.push_str(&number.to_string());
                text.push_str("::");
                text.push_str(kind);
            } else {
                text.push('?');
            }
        }
        text.push(')');
    }
    text
}

/// Splits into chunks whose lengths are powers of two, longest first, so that there are few chunks and few distinct prepared statements.
pub(super) fn pieces<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    iter::from_fn(move || {
        let length = 1_usize << rest.len().checked_ilog2()?;
        let (piece, others) = rest.split_at(length);
        rest = others;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_through() {
        let types = ["uuid", "bigint"];
        assert_eq!(
            placeholders(DbBackend::Postgres, &types, 2),
            "($1::uuid, $2::bigint), ($3::uuid, $4::bigint)"
        );
        assert_eq!(placeholders(DbBackend::Sqlite, &types, 2), "(?, ?), (?, ?)");
    }

    #[test]
    fn pieces_hold_everything_once_and_in_order() {
        let all: Vec<u32> = (0..500).collect();
        let lengths: Vec<_> = pieces(&all).map(<[u32]>::len).collect();
        assert_eq!(lengths, [256, 128, 64, 32, 16, 4]);
        assert_eq!(pieces(&all).flatten().copied().collect::<Vec<_>>(), all);
        assert_eq!(pieces::<u32>(&[]).count(), 0);
    }
}
