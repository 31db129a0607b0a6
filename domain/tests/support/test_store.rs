//! A store on a real database of its own, for each test and each backend.
//!
//! SQLite is always tested. PostgreSQL is tested where `TEST_DATABASE_URL` names a server that allows `CREATE DATABASE`, e.g.
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

/// An open store and its database. Dropping the value drops the database, also after a failed test.
pub(crate) struct TestStore {
    /// The store, opened without `serves`.
    pub(crate) store: Store,
    /// The time at which every test begins.
    pub(crate) now: DateTime<Utc>,
    options: StoreOptions,
    location: Location,
}

enum Location {
    Sqlite(TempDir),
    Postgres { server: String, database: String },
}

/// Runs `test` once on each backend, each time with a new [`TestStore`].
pub(crate) async fn on_every_database(test: impl AsyncFn(&TestStore)) {
    test(&TestStore::on_sqlite().await).await;
    if let Some(fixture) = TestStore::on_postgres_if_any().await {
        test(&fixture).await;
    }
}

impl TestStore {
    /// Creates a SQLite file in a temporary folder.
    pub(crate) async fn on_sqlite() -> Self {
        eprintln!("on SQLite");
        let folder = TempDir::new().expect("a folder");
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("latchkey.db").display()
        );
        Self::open(url, Location::Sqlite(folder)).await
    }

    /// Creates a database on the PostgreSQL server. `None` where no server is configured.
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
        Self::open(url, Location::Postgres { server, database }).await
    }

    async fn open(database_url: String, location: Location) -> Self {
        let options = StoreOptions {
            database_url,
            serves: false,
            key_prefix: "lk".parse().expect("a prefix"),
            default_key_limit: 10,
            expiring_soon_days: 30,
            second_factor: Default::default(),
        };
        Self {
            store: Store::open(options.clone()).await.expect("a store"),
            now: "2026-03-02T12:00:00Z".parse().expect("a time"),
            options,
            location,
        }
    }

    /// The options of [`Self::store`], to open another store on the same database.
    pub(crate) fn options(&self) -> StoreOptions {
        self.options.clone()
    }

    /// The SQLite file; `None` on PostgreSQL.
    pub(crate) fn sqlite_file(&self) -> Option<PathBuf> {
        match &self.location {
            Location::Sqlite(folder) => Some(folder.path().join("latchkey.db")),
            Location::Postgres { .. } => None,
        }
    }

    /// Creates a tenant with this slug and name and a key limit of 10. Returns the operator's scope in it.
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

    /// Creates a group for API keys.
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

    /// A connection that bypasses the store, to inspect or damage the database.
    pub(crate) async fn connection(&self) -> DatabaseConnection {
        Database::connect(&self.options.database_url)
            .await
            .expect("a connection")
    }

    /// Runs one statement, bypassing the store. Placeholders are `$1`, `$2`, …
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

    /// Runs statements without values, bypassing the store.
    pub(crate) async fn execute_script(&self, sql: &str) {
        let connection = self.connection().await;
        connection.execute_unprepared(sql).await.expect("executed");
        connection.close().await.expect("closed");
    }

    /// Locks every tenant (on SQLite the whole file), as another process would, until the returned transaction ends.
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

    /// Inserts a key, bypassing the store, with a digest of 32 times `number`: for constraint tests and for counts.
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

impl Drop for TestStore {
    fn drop(&mut self) {
        let Location::Postgres { server, database } = &self.location else {
            return;
        };
        let (server, sql) = (
            server.clone(),
            format!("DROP DATABASE {database} WITH (FORCE)"),
        );
        // `drop` runs on a thread of the test's runtime, so it cannot block on that runtime.
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

/// Parses permissions into the set that a group takes.
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
    reason = "test settings: the PostgreSQL server, and whether it is required"
)]
fn postgres_server() -> Option<String> {
    static REPORT: Once = Once::new();
    let server = std::env::var("TEST_DATABASE_URL").ok();
    if server.is_none() {
        let is_required = std::env::var_os("TEST_PROGRAMS").is_some();
        assert!(!is_required, "TEST_DATABASE_URL is missing");
        // Direct stderr: the test runner hides the output of passing tests.
        REPORT.call_once(|| {
            let report = "SKIPPED on PostgreSQL: TEST_DATABASE_URL is missing";
            // A closed standard error is ignored.
            let _ = writeln!(io::stderr(), "{report}");
        });
    }
    server
}
