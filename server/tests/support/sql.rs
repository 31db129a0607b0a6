//! Queries of a database without Latchkey, on SQLite and PostgreSQL.

use std::future::Future;

use sea_orm::{ConnectionTrait as _, Database, DbErr, Statement};

/// Runs statements without values in the database with this URL.
pub(crate) fn execute(url: &str, sql: &str) -> Result<(), DbErr> {
    in_a_runtime(|| async {
        let connection = Database::connect(url).await?;
        connection.execute_unprepared(sql).await?;
        connection.close().await
    })
}

/// The number that a query returns.
pub(crate) fn number(url: &str, sql: &str) -> Result<i64, DbErr> {
    in_a_runtime(|| async {
        let connection = Database::connect(url).await?;
        let query = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(query).await?;
        connection.close().await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?;
        row.try_get_by_index(0)
    })
}

/// Runs the work on a separate thread with its own runtime, because the test may run inside another runtime.
fn in_a_runtime<T: Send, Work: Future<Output = T>>(work: impl FnOnce() -> Work + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(work())
        });
        thread.join().expect("no panic")
    })
}
