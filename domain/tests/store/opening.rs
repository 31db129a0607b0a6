//! Opening a store: schema, locks, and databases that do not respond.

use domain::{
    Error,
    store::{Store, StoreOptions},
};
use std::{error::Error as _, time::Duration};
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};

use crate::test_store::{TestStore, on_every_database};

fn reason(error: &Error) -> String {
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    error.source().expect("a reason").to_string()
}

#[tokio::test]
async fn a_second_store_opens_a_migrated_database() {
    on_every_database(async |fixture| {
        fixture.store.ping().await.unwrap();
        fixture.tenant("acme").await;
        let second = Store::open(fixture.options()).await.unwrap();
        let operator = second.as_cli();
        second.tenants(&operator).find("acme").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_opened_in_parallel_migrate_once() {
    for round in 0..5 {
        let folder = tempfile::TempDir::new().unwrap();
        let options = StoreOptions {
            database_url: format!(
                "sqlite://{}?mode=rwc",
                folder.path().join("latchkey.db").display()
            ),
            ..TestStore::on_sqlite().await.options()
        };
        open_at_once(options, round).await;
    }
    if let Some(fixture) = TestStore::on_postgres_if_any().await {
        for round in 0..5 {
            // Starts without the tables that the fixture created.
            fixture
                .execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
                .await;
            open_at_once(fixture.options(), round).await;
        }
    }
}

async fn open_at_once(options: StoreOptions, round: u32) {
    let opening: Vec<_> = (0..4)
        .map(|_| tokio::spawn(Store::open(options.clone())))
        .collect();
    for store in opening {
        let store = store.await.expect("no panic");
        let store = store.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        store.ping().await.expect("a result");
    }
}

#[tokio::test]
async fn one_server_holds_a_sqlite_file_and_commands_work_beside_it() {
    let fixture = TestStore::on_sqlite().await;
    let server = StoreOptions {
        serves: true,
        ..fixture.options()
    };
    let first = Store::open(server.clone()).await.unwrap();
    let refused = Store::open(server.clone()).await.unwrap_err();
    let reason = reason(&refused);
    assert!(
        reason.starts_with("another latchkey serves this database"),
        "{reason}"
    );

    let command_line = Store::open(fixture.options()).await.unwrap();
    let operator = command_line.as_cli();
    assert!(
        command_line
            .tenants(&operator)
            .list()
            .await
            .unwrap()
            .is_empty()
    );

    drop(first);
    Store::open(server).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn sqlite_files_are_accessible_to_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let fixture = TestStore::on_sqlite().await;
    let _server = Store::open(StoreOptions {
        serves: true,
        ..fixture.options()
    })
    .await
    .unwrap();
    fixture.tenant("acme").await;
    let file = fixture.sqlite_file().unwrap();
    let mut seen = Vec::new();
    for entry in file.parent().unwrap().read_dir().unwrap() {
        let entry = entry.unwrap();
        seen.push(entry.file_name().into_string().unwrap());
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "latchkey.db",
            "latchkey.db-shm",
            "latchkey.db-wal",
            "latchkey.db.lock",
        ]
    );
}

#[tokio::test]
async fn urls_of_temporary_or_unsupported_databases_are_refused() {
    let options = TestStore::on_sqlite().await.options();
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite://latchkey?mode=memory",
        "sqlite://",
        "mysql://127.0.0.1/latchkey",
        "latchkey.db",
        "",
    ] {
        let refused = Store::open(StoreOptions {
            database_url: url.to_owned(),
            ..options.clone()
        })
        .await;
        assert!(
            matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == "database_url"),
            "{url}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn the_password_of_the_url_is_in_no_output() {
    let options = StoreOptions {
        database_url: "postgres://latchkey:correct-horse@127.0.0.1:1/latchkey".to_owned(),
        ..TestStore::on_sqlite().await.options()
    };
    assert!(!format!("{options:?}").contains("correct-horse"));
    let refused = Store::open(options).await.unwrap_err();
    assert!(!format!("{refused:?} {}", reason(&refused)).contains("correct-horse"));
}

#[tokio::test]
async fn a_database_that_never_responds_is_unavailable_within_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let options = StoreOptions {
        database_url: format!("postgres://latchkey@{address}/latchkey"),
        ..TestStore::on_sqlite().await.options()
    };
    let started = Instant::now();
    let refused = timeout(Duration::from_secs(10), Store::open(options))
        .await
        .expect("a result")
        .unwrap_err();
    reason(&refused);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_locked_database_is_unavailable_and_recovers() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let holder = fixture.lock_tenants().await;
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let refused = timeout(
            Duration::from_secs(10),
            tenants.set_limit("acme", 5, fixture.now),
        )
        .await
        .expect("a result")
        .unwrap_err();
        reason(&refused);

        holder.rollback().await.unwrap();
        assert_eq!(tenants.find("acme").await.unwrap().key_limit, 10);
        tenants.set_limit("acme", 5, fixture.now).await.unwrap();
        let events = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(events.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_a_reason() {
    on_every_database(async |fixture| {
        fixture
            .execute(
                "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)",
                [],
            )
            .await
            .unwrap();
        let refused = Store::open(fixture.options()).await.unwrap_err();
        assert!(reason(&refused).contains("newer version"), "{refused:?}");
    })
    .await;
}
