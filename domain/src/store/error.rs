//! Maps errors of the database driver to [`Error`].

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::Error;

impl From<DbErr> for Error {
    /// A connection that is lost, busy or too slow becomes [`Error::Unavailable`]; everything else becomes [`Error::Internal`]. A violated
    /// constraint is mapped by the code that can cause it, by its kind ([`DbErr::sql_err`]).
    fn from(error: DbErr) -> Self {
        let unavailable = match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => is_unavailability(error),
            _ => false,
        };
        if unavailable {
            Self::Unavailable(Box::new(error))
        } else {
            Self::Internal(Box::new(error))
        }
    }
}

/// Whether the database is temporarily unreachable, busy or too slow.
pub(crate) fn is_unavailability(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error
                .try_downcast_ref::<sqlx::sqlite::SqliteError>()
                .is_some()
            {
                code.parse().is_ok_and(is_unavailable_sqlite)
            } else {
                is_unavailable_postgres(&code)
            }
        }
        _ => false,
    }
}

/// Whether another connection temporarily holds a lock.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    error
        .as_database_error()
        .filter(|error| {
            error
                .try_downcast_ref::<sqlx::sqlite::SqliteError>()
                .is_some()
        })
        .and_then(|error| error.code()?.parse::<u32>().ok())
        .is_some_and(|code| code & 0xFF == BUSY)
}

/// Busy, locked, out of memory, read-only, interrupted, input/output, full, cannot open, locking protocol:
/// <https://sqlite.org/rescode.html>. The low byte of an extended code is the code itself.
const fn is_unavailable_sqlite(code: u32) -> bool {
    matches!(code & 0xFF, 5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15)
}

/// By class, from <https://www.postgresql.org/docs/current/errcodes-appendix.html>: lost connections, insufficient resources, cancelled
/// statements and shutdowns, system errors; then lock timeouts, conflicts that a retry resolves, servers that turn out to be read-only,
/// sessions that were idle in a transaction, and prepared statements that a pooler mixed up.
fn is_unavailable_postgres(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "53" | "57" | "58"))
        || matches!(
            code,
            "55P03" | "40001" | "40P01" | "25006" | "25P03" | "26000" | "42P05"
        )
}

/// A row contains a value that this program never writes.
#[derive(Debug, thiserror::Error)]
#[error("a stored {0} cannot be read")]
struct Damaged(&'static str);

/// The error for a stored value, such as `"slug"`, that cannot be read back.
pub(crate) fn damaged(what: &'static str) -> Error {
    Error::Internal(Box::new(Damaged(what)))
}

/// The error for a database that cannot be used for `reason`.
pub(crate) fn unavailable(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unavailable(reason.into())
}
