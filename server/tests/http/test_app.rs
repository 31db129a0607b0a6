//! The application with the tenant Acme, to which tests add users and keys.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::{
    audit::AuditEvent,
    group::{AuthorizationGroup, GroupType},
    key::{ApiKey, IssuedKey, NewKey, RotatedExpiry, allowlist::Allowlist, expiry::ExpirationDate},
    permission::PermissionSet,
    store::{Store, groups::NewGroup, tenants::NewTenant, users::NewUser},
    user::Role,
    verify::Verifier,
};
use server::{
    clock,
    config::Config,
    drain::Drain,
    router::router,
    service::LatchkeyService,
    single_sign_on::SingleSignOn,
    state::{AppState, Shared},
};
use tempfile::TempDir;

use super::request::TestRequest;
use crate::support::{environment::setting, postgres::PostgresDatabase, turns::wait_for_turn};

pub(crate) use crate::support::setup::{ADMIN, PASSWORD};
pub(crate) const MEMBER: &str = "noor@acme.example";
pub(crate) const SUPER_USER: &str = "otis@latchkey.example";

/// The router with its own database.
pub(crate) struct TestApp {
    pub(crate) store: Store,
    verifier: Verifier,
    router: LatchkeyService,
    folder: TempDir,
    /// Declared last, so that it is dropped after everything that uses it.
    postgres: Option<PostgresDatabase>,
}

/// A PostgreSQL database if `TEST_ENGINE` is `postgres`; `None` for SQLite.
fn postgres_if_configured() -> Option<PostgresDatabase> {
    let engine = setting("TEST_ENGINE")?;
    assert_eq!(engine, "postgres", "TEST_ENGINE");
    Some(PostgresDatabase::create().expect("TEST_DATABASE_URL"))
}

/// A key to create. The default has no restrictions.
#[derive(Clone, Debug)]
pub(crate) struct KeySpec {
    pub(crate) name: String,
    pub(crate) tenant: &'static str,
    pub(crate) permissions: &'static [&'static str],
    pub(crate) allowlist: &'static [&'static str],
    pub(crate) expires_on: Option<NaiveDate>,
    /// The time of creation; in the past for a key that has expired.
    pub(crate) at: DateTime<Utc>,
}

impl Default for KeySpec {
    fn default() -> Self {
        Self {
            name: "ERP".to_owned(),
            tenant: "acme",
            permissions: &["orders:read", "api-keys:read"],
            allowlist: &[],
            expires_on: None,
            at: clock::now() - TimeDelta::days(10),
        }
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts the application with these settings.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        wait_for_turn();
        let folder = tempfile::tempdir().unwrap();
        let postgres = postgres_if_configured();
        let database = postgres.as_ref().map_or_else(
            || {
                format!(
                    "sqlite://{}?mode=rwc",
                    folder.path().join("test.db").display()
                )
            },
            PostgresDatabase::url,
        );
        let config = Config::from_lookup(|name| match name {
            "DATABASE_URL" => Some(database.clone()),
            _ => (settings
                .iter()
                .chain(&[("LATCHKEY_DEFAULT_KEY_LIMIT", "100")]))
            .find(|(variable, _)| *variable == name)
            .map(|(_, value)| (*value).to_owned()),
        })
        .unwrap();
        let store = Store::open(config.store_options(true)).await.unwrap();
        if postgres.is_some() {
            // Registered as a replica, so that receipts count it from the first change on.
            let registered = async {
                while !store.cache_is_valid() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(60), registered);
            waited.await.expect("the replica gets a lease");
        }
        let verifier = Verifier::new(store.clone());
        let router = router(AppState::from(Shared {
            single_sign_on: SingleSignOn::from_config(&config),
            drain: Drain::default(),
            store: store.clone(),
            verifier: verifier.clone(),
            config: Arc::new(config),
            bundle: Arc::default(),
        }));
        let app = Self {
            store,
            verifier,
            router,
            folder,
            postgres,
        };
        app.add_tenant("acme", "Acme").await;
        app
    }

    /// Runs a statement in the database, on a separate connection.
    pub(crate) fn execute(&self, sql: &str) {
        let sqlite = || format!("sqlite://{}", self.folder.path().join("test.db").display());
        let url = self
            .postgres
            .as_ref()
            .map_or_else(sqlite, PostgresDatabase::url);
        crate::support::sql::execute(&url, sql).expect(sql);
    }

    pub(crate) const fn is_on_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> TestRequest {
        TestRequest::new(self.router.clone(), method, path)
    }

    pub(crate) fn get(&self, path: &str) -> TestRequest {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> TestRequest {
        self.request("POST", path)
    }

    pub(crate) async fn add_tenant(&self, slug: &str, name: &str) {
        let new = NewTenant {
            name: name.to_owned(),
            slug: Some(slug.parse().unwrap()),
            key_limit: None,
        };
        let cli = self.store.as_cli();
        self.store
            .tenants(&cli)
            .create(new, clock::now())
            .await
            .unwrap();
    }

    pub(crate) async fn add_user(&self, email: &str, role: Role, tenant: Option<&str>) {
        let new = NewUser {
            email: email.parse().unwrap(),
            name: None,
            role,
            tenant: tenant.map(str::to_owned),
        };
        let cli = self.store.as_cli();
        let users = self.store.users(&cli);
        users.create(new, PASSWORD, clock::now()).await.unwrap();
    }

    /// Adds an administrator of Acme, [`ADMIN`].
    pub(crate) async fn with_admin(self) -> Self {
        self.add_user(ADMIN, Role::TenantAdmin, Some("acme")).await;
        self
    }

    /// Adds a member of Acme, [`MEMBER`].
    pub(crate) async fn with_member(self) -> Self {
        self.add_user(MEMBER, Role::Member, Some("acme")).await;
        self
    }

    /// Adds a super user, [`SUPER_USER`].
    pub(crate) async fn with_super_user(self) -> Self {
        self.add_user(SUPER_USER, Role::SuperUser, None).await;
        self
    }

    /// Signs in with the form; returns the `name=value` of the session cookie.
    pub(crate) async fn sign_in(&self, email: &str) -> String {
        let response = self
            .post("/sign-in")
            .same_origin()
            .form(&[("email", email), ("password", PASSWORD)])
            .send()
            .await;
        assert_eq!(response.status, 303, "{}", response.text());
        response.set_cookie("latchkey_session")
    }

    /// A group of API keys of the tenant with exactly these permissions.
    pub(crate) async fn group(&self, tenant: &str, permissions: &[&str]) -> AuthorizationGroup {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope(tenant).await.unwrap();
        let name = format!("Group {}", permissions.join(" "));
        if let Ok(group) = self.store.groups(&scope).find(&name).await {
            return group;
        }
        self.named_group(tenant, &name, permissions).await
    }

    /// Creates a group of API keys with this name.
    pub(crate) async fn named_group(
        &self,
        tenant: &str,
        name: &str,
        permissions: &[&str],
    ) -> AuthorizationGroup {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope(tenant).await.unwrap();
        let groups = self.store.groups(&scope);
        let permissions = permissions.iter().map(|text| text.parse().unwrap());
        let new = NewGroup {
            name: name.to_owned(),
            kind: GroupType::TenantApiKey,
            permissions: PermissionSet::new(permissions).unwrap(),
        };
        groups.create(new, clock::now()).await.unwrap()
    }

    pub(crate) async fn issue(&self, spec: KeySpec) -> IssuedKey {
        let group = self.group(spec.tenant, spec.permissions).await;
        self.issue_to(&group, spec).await
    }

    pub(crate) async fn issue_to(&self, group: &AuthorizationGroup, spec: KeySpec) -> IssuedKey {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope(spec.tenant).await.unwrap();
        let new = NewKey {
            name: spec.name.parse().unwrap(),
            description: "".parse().unwrap(),
            group_id: group.id,
            expires_on: spec.expires_on.map(ExpirationDate::from),
            allowlist: Allowlist::parse_entries(spec.allowlist.iter().copied()).unwrap(),
        };
        self.store.keys(&scope).create(new, spec.at).await.unwrap()
    }

    /// Adds a key of Acme without restrictions.
    pub(crate) async fn with_key(self) -> (Self, IssuedKey) {
        let key = self.issue(KeySpec::default()).await;
        (self, key)
    }

    /// Creates a key of Acme with these permissions; returns its secret.
    pub(crate) async fn secret(&self, permissions: &[&str]) -> String {
        let group = self.group("acme", permissions).await;
        let key = self.issue_to(&group, KeySpec::default()).await;
        key.secret.expose().to_owned()
    }

    /// Writes pending usage, as the server does every few seconds.
    pub(crate) async fn flush_usage(&self) {
        self.verifier.flush().await.unwrap();
    }

    /// The refusals of a key today, as `code: count`.
    pub(crate) async fn refused(&self, tenant: &str, key: &IssuedKey) -> Vec<String> {
        self.verifier.flush().await.unwrap();
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope(tenant).await.unwrap();
        let counts = self.store.keys(&scope).refusals(key.key.id).await.unwrap();
        let today = clock::now().date_naive();
        (counts.into_iter())
            .map(|count| {
                assert_eq!(count.day, today);
                format!("{}: {}", count.code, count.count)
            })
            .collect()
    }

    /// The audit events of a tenant, newest first.
    pub(crate) async fn audited(&self, tenant: &str) -> Vec<AuditEvent> {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope(tenant).await.unwrap();
        self.store.audit(&scope).newest(1_000).await.unwrap()
    }

    pub(crate) async fn rotate(&self, key: &IssuedKey) -> IssuedKey {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope("acme").await.unwrap();
        let keys = self.store.keys(&scope);
        let rotated = keys
            .rotate(key.key.id, RotatedExpiry::Keep, clock::now())
            .await
            .unwrap();
        IssuedKey {
            key: rotated.value.key,
            secret: rotated.value.secret,
        }
    }

    pub(crate) async fn revoke(&self, tenant: &str, key: &IssuedKey) -> ApiKey {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope(tenant).await.unwrap();
        self.store
            .keys(&scope)
            .revoke(key.key.id, clock::now())
            .await
            .unwrap()
            .value
    }

    pub(crate) async fn suspend(&self, tenant: &str) {
        let cli = self.store.as_cli();
        self.store
            .tenants(&cli)
            .suspend(tenant, clock::now())
            .await
            .unwrap();
    }

    /// The number of keys of Acme that are not revoked.
    pub(crate) async fn used_keys(&self) -> u32 {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope("acme").await.unwrap();
        self.store.keys(&scope).quota().await.unwrap().used
    }

    /// Whether the session of this cookie is valid.
    pub(crate) async fn is_signed_in(&self, cookie: &str) -> bool {
        self.get("/account").cookie(cookie).send().await.status == 200
    }
}

/// The date `offset` days from today (UTC).
pub(crate) fn day(offset: i64) -> NaiveDate {
    let today = clock::now().date_naive();
    let days = Days::new(offset.unsigned_abs());
    if offset < 0 {
        today - days
    } else {
        today + days
    }
}
