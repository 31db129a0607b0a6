//! The world that a test of the store lives in: a real database of its own, on every backend that there is.
//!
//! SQLite always; PostgreSQL too where `TEST_DATABASE_URL` names a server on which databases may be created, e.g.
//! `postgres://postgres@127.0.0.1:5432/postgres`.

use chrono::{DateTime, Utc};
use domain::{
    group::{AuthorizationGroup, GroupType},
    id::GroupId,
    permission::PermissionSet,
    store::{Store, StoreOptions, TenantScope, groups::NewGroup, tenants::NewTenant},
};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr, ExecResult,
    Statement, TransactionTrait, Value,
};
use std::{
    io::{self, Write as _},
    path::PathBuf,
    sync::Once,
};
use tempfile::TempDir;
use uuid::Uuid;

/// One database and the store that is open on it. The database goes when this is dropped, also after a failure.
pub(crate) struct World {
    /// The store, opened without `serves`.
    pub(crate) store: Store,
    /// The hour in which every test begins.
    pub(crate) now: DateTime<Utc>,
    options: StoreOptions,
    home: Home,
}

enum Home {
    Sqlite(TempDir),
    Postgres { server: String, database: String },
}

/// Runs `test` once on each backend, each time in a world of its own.
pub(crate) async fn on_every_database(test: impl AsyncFn(&World)) {
    test(&World::on_sqlite().await).await;
    if let Some(world) = World::on_postgres_if_any().await {
        test(&world).await;
    }
}

impl World {
    /// A fresh SQLite file in a folder of its own.
    pub(crate) async fn on_sqlite() -> Self {
        eprintln!("on SQLite");
        let folder = TempDir::new().expect("a folder");
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("latchkey.db").display()
        );
        Self::open(url, Home::Sqlite(folder)).await
    }

    /// A fresh database on the PostgreSQL server, where there is one.
    pub(crate) async fn on_postgres_if_any() -> Option<Self> {
        Some(Self::on_postgres(postgres_server()?).await)
    }

    async fn on_postgres(server: String) -> Self {
        eprintln!("on PostgreSQL");
        let database = format!("latchkey_test_{}", Uuid::now_v7().simple());
        let administration = Database::connect(&server).await.expect("a server");
        administration
            .execute_unprepared(&format!("CREATE DATABASE {database}"))
            .await
            .expect("a database");
        administration.close().await.expect("closed");
        let (address, _) = server.rsplit_once('/').expect("a database in the URL");
        let url = format!("{address}/{database}");
        Self::open(url, Home::Postgres { server, database }).await
    }

    async fn open(database_url: String, home: Home) -> Self {
        let options = StoreOptions {
            database_url,
            serves: false,
            key_prefix: "lk".parse().expect("a prefix"),
            default_key_limit: 10,
            expiring_soon_days: 30,
        };
        Self {
            store: Store::open(options.clone()).await.expect("a store"),
            now: "2026-03-02T12:00:00Z".parse().expect("a time"),
            options,
            home,
        }
    }

    /// What [`Self::store`] was opened with, to open another one on the same database.
    pub(crate) fn options(&self) -> StoreOptions {
        self.options.clone()
    }

    /// The SQLite file; `None` on PostgreSQL.
    pub(crate) fn sqlite_file(&self) -> Option<PathBuf> {
        match &self.home {
            Home::Sqlite(folder) => Some(folder.path().join("latchkey.db")),
            Home::Postgres { .. } => None,
        }
    }

    /// A new tenant of that slug and name with a key limit of 10, and the operator acting in it.
    pub(crate) async fn tenant(&self, slug: &str) -> TenantScope {
        let operator = self.store.as_cli();
        let tenants = self.store.tenants(&operator);
        let new = NewTenant {
            name: slug.to_owned(),
            slug: Some(slug.parse().expect("a slug")),
            key_limit: None,
        };
        tenants.create(new, self.now).await.expect("a tenant");
        tenants.scope(slug).await.expect("a scope")
    }

    /// A new group for keys.
    pub(crate) async fn group(
        &self,
        scope: &TenantScope,
        name: &str,
        permissions: &[&str],
    ) -> AuthorizationGroup {
        self.store
            .groups(scope)
            .create(
                NewGroup {
                    name: name.to_owned(),
                    kind: GroupType::TenantApiKey,
                    permissions: permission_set(permissions),
                },
                self.now,
            )
            .await
            .expect("a group")
    }

    /// A connection of the test's own, to look at the database and to damage it.
    pub(crate) async fn connection(&self) -> DatabaseConnection {
        Database::connect(&self.options.database_url)
            .await
            .expect("a connection")
    }

    /// Runs one statement past the store. Placeholders are `$1`, `$2`, …
    pub(crate) async fn execute(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<ExecResult, DbErr> {
        let connection = self.connection().await;
        let backend = connection.get_database_backend();
        let result = connection
            .execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await;
        connection.close().await.expect("closed");
        result
    }

    /// Runs statements without values past the store.
    pub(crate) async fn execute_script(&self, sql: &str) {
        let connection = self.connection().await;
        connection.execute_unprepared(sql).await.expect("executed");
        connection.close().await.expect("closed");
    }

    /// Keeps every tenant locked, as another process would, until what this returns is rolled back: on SQLite the whole file.
    pub(crate) async fn lock_tenants(&self) -> DatabaseTransaction {
        let transaction = self
            .connection()
            .await
            .begin()
            .await
            .expect("a transaction");
        transaction
            .execute_unprepared("UPDATE tenants SET version = version")
            .await
            .expect("a lock");
        transaction
    }

    /// Writes a key past the store, with a digest of `number`s: for what the database refuses by itself, and for counting.
    pub(crate) async fn insert_key(
        &self,
        scope: &TenantScope,
        group: GroupId,
        number: u8,
        revoked_at: Option<DateTime<Utc>>,
    ) -> Result<ExecResult, DbErr> {
        self.execute(
            "INSERT INTO api_keys (id, tenant_id, group_id, name, name_lower, description, \
             description_lower, hint, secret_digest, ip_allowlist, created_by_kind, \
             created_by_name, created_at, updated_at, revoked_at, version) \
             VALUES ($1, $2, $3, 'ERP', 'erp', '', '', '', $4, '', 'cli', 'latchkey', $5, $5, $6, 1)",
            [
                Uuid::now_v7().into(),
                scope.tenant().id.as_uuid().into(),
                group.as_uuid().into(),
                vec![number; 32].into(),
                self.now.into(),
                revoked_at.into(),
            ],
        )
        .await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Home::Postgres { server, database } = &self.home else {
            return;
        };
        let (server, sql) = (
            server.clone(),
            format!("DROP DATABASE {database} WITH (FORCE)"),
        );
        // Dropping cannot wait for a future of the test's own runtime, which is at work right here.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async {
                    let administration = Database::connect(&server).await?;
                    administration.execute_unprepared(&sql).await
                })
        })
        .join();
        if !matches!(dropped, Ok(Ok(_))) {
            eprintln!("{database} could not be dropped");
        }
    }
}

/// Permissions, as a group takes them.
pub(crate) fn permission_set(permissions: &[&str]) -> PermissionSet {
    PermissionSet::new(
        permissions
            .iter()
            .map(|permission| permission.parse().expect("a permission")),
    )
    .expect("at most 64")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the settings of the tests: which PostgreSQL to run on besides SQLite, and whether it has to be there"
)]
fn postgres_server() -> Option<String> {
    static REPORT: Once = Once::new();
    let server = std::env::var("TEST_DATABASE_URL").ok();
    if server.is_none() {
        let is_required = std::env::var_os("TEST_PROGRAMS").is_some();
        assert!(!is_required, "TEST_DATABASE_URL is missing");
        // Past the test runner, which hides the output of tests that pass.
        REPORT.call_once(|| {
            let report = "SKIPPED on PostgreSQL: TEST_DATABASE_URL is missing";
            // Where standard error is closed, nobody reads the report.
            let _ = writeln!(io::stderr(), "{report}");
        });
    }
    server
}
