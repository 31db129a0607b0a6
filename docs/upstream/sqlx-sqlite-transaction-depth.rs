//! After two failed commits, sqlx-sqlite reports success for every later commit while SQLite commits nothing.
//!
//! A commit hook that returns `false` simulates a disk that is full or fails: SQLite rolls the transaction back in both cases.
//! `SQLITE_FULL` and `SQLITE_IOERR` of a real disk have the same effect.
//!
//! ```sh
//! cargo new transaction-depth && cd transaction-depth
//! cargo add sqlx@=0.9.0 --no-default-features --features runtime-tokio,sqlite
//! cargo add tokio@1 --features macros,rt
//! cp …/sqlx-sqlite-transaction-depth.rs src/main.rs && cargo run
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sqlx::{
    Connection as _, Executor as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

async fn insert(connection: &mut SqliteConnection, number: u32) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("INSERT INTO numbers VALUES (?)")
        .bind(number)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let file = std::env::temp_dir().join(format!("transaction-depth-{}.db", std::process::id()));
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    connection.execute("CREATE TABLE numbers (number)").await?;

    let disk_fails = Arc::new(AtomicBool::new(true));
    let fails = Arc::clone(&disk_fails);
    connection
        .lock_handle()
        .await?
        .set_commit_hook(move || !fails.load(Ordering::SeqCst));
    for number in [1, 2] {
        let failed = insert(&mut connection, number).await;
        println!("commit {number}: {failed:?}");
    }
    disk_fails.store(false, Ordering::SeqCst);
    for number in [3, 4, 5] {
        let committed = insert(&mut connection, number).await;
        println!("commit {number}: {committed:?}");
    }

    let mut other = SqliteConnection::connect_with(&options).await?;
    let seen: Vec<u32> = sqlx::query_scalar("SELECT number FROM numbers ORDER BY number")
        .fetch_all(&mut other)
        .await?;
    println!("another connection sees {seen:?}, and should see [3, 4, 5]");
    println!("in a transaction: {}", connection.is_in_transaction());
    let _ = std::fs::remove_file(&file);
    Ok(())
}
