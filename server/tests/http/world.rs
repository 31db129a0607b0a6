//! A world to test in: the tenant Acme, whose people and keys each test adds as it needs them.

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
    state::{AppState, Shared},
};
use tempfile::TempDir;

use super::exchange::Ask;
use crate::support::{postgres::Postgres, turns::wait_for_turn};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "violet canoe 7 orbit lantern";
pub(crate) const ADMIN: &str = "mira@acme.example";
pub(crate) const MEMBER: &str = "noor@acme.example";
pub(crate) const SUPER_USER: &str = "otis@latchkey.example";

/// A running application with a database of its own.
pub(crate) struct TestApp {
    pub(crate) store: Store,
    verifier: Verifier,
    router: LatchkeyService,
    folder: TempDir,
    /// After everything that uses it.
    _postgres: Option<Postgres>,
}

/// On which engine the whole suite runs: SQLite, or PostgreSQL where `TEST_ENGINE` says `postgres`.
fn postgres_if_asked() -> Option<Postgres> {
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask runs the suite once on each"
    )]
    let engine = std::env::var("TEST_ENGINE").ok()?;
    assert_eq!(engine, "postgres", "TEST_ENGINE");
    Some(Postgres::fresh().expect("TEST_DATABASE_URL"))
}

/// A key that is to be made; what is not said is as permissive as can be.
#[derive(Clone, Debug)]
pub(crate) struct KeySpec {
    pub(crate) name: String,
    pub(crate) tenant: &'static str,
    pub(crate) permissions: &'static [&'static str],
    pub(crate) allowlist: &'static [&'static str],
    pub(crate) expires_on: Option<NaiveDate>,
    /// When it is made; before today for a key that is to be expired by now.
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

    /// With these variables set, beside the database's.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        wait_for_turn();
        let folder = tempfile::tempdir().unwrap();
        let postgres = postgres_if_asked();
        let database = postgres.as_ref().map_or_else(
            || {
                format!(
                    "sqlite://{}?mode=rwc",
                    folder.path().join("test.db").display()
                )
            },
            Postgres::url,
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
            // On the list of replicas, so that receipts count it from the first change on.
            let registered = async {
                while !store.cache_is_valid() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(60), registered);
            waited.await.expect("PostgreSQL says what changes");
        }
        let verifier = Verifier::new(store.clone());
        let router = router(AppState::from(Shared {
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
            _postgres: postgres,
        };
        app.add_tenant("acme", "Acme").await;
        app
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.router.clone(), method, path)
    }

    pub(crate) fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Ask {
        self.ask("POST", path)
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

    /// With Mira, who administers Acme.
    pub(crate) async fn with_admin(self) -> Self {
        self.add_user(ADMIN, Role::TenantAdmin, Some("acme")).await;
        self
    }

    /// With Noor, a member of Acme.
    pub(crate) async fn with_member(self) -> Self {
        self.add_user(MEMBER, Role::Member, Some("acme")).await;
        self
    }

    /// With Otis, who runs the installation.
    pub(crate) async fn with_super_user(self) -> Self {
        self.add_user(SUPER_USER, Role::SuperUser, None).await;
        self
    }

    /// Signs in over HTTP; the session cookie's `name=value`.
    pub(crate) async fn sign_in(&self, email: &str) -> String {
        let answer = self
            .post("/sign-in")
            .same_origin()
            .form(&[("email", email), ("password", PASSWORD)])
            .send()
            .await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.set_cookie("latchkey_session")
    }

    /// The group of Acme's or another tenant's keys with exactly these permissions.
    pub(crate) async fn group(&self, tenant: &str, permissions: &[&str]) -> AuthorizationGroup {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope(tenant).await.unwrap();
        let name = format!("Group {}", permissions.join(" "));
        let groups = self.store.groups(&scope);
        if let Ok(group) = groups.find(&name).await {
            return group;
        }
        let permissions = permissions.iter().map(|text| text.parse().unwrap());
        let new = NewGroup {
            name,
            kind: GroupType::TenantApiKey,
            permissions: PermissionSet::new(permissions).unwrap(),
        };
        groups.create(new, clock::now()).await.unwrap()
    }

    pub(crate) async fn issue(&self, spec: KeySpec) -> IssuedKey {
        let group = self.group(spec.tenant, spec.permissions).await;
        self.issue_to(&group, spec).await
    }

    async fn issue_to(&self, group: &AuthorizationGroup, spec: KeySpec) -> IssuedKey {
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

    /// A key of Acme's that may do everything from everywhere.
    pub(crate) async fn with_key(self) -> (Self, IssuedKey) {
        let key = self.issue(KeySpec::default()).await;
        (self, key)
    }

    /// The secret of a key of Acme's with these permissions.
    pub(crate) async fn secret(&self, permissions: &[&str]) -> String {
        let group = self.group("acme", permissions).await;
        let key = self.issue_to(&group, KeySpec::default()).await;
        key.secret.expose().to_owned()
    }

    /// Writes when keys were used, as the server does every few seconds.
    pub(crate) async fn flush_usage(&self) {
        self.verifier.flush().await.unwrap();
    }

    /// How often requests with a key were refused today, as `code: count`.
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

    /// What the audit trail of a tenant holds, the newest first.
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
            key: rotated.key,
            secret: rotated.secret,
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
            .key
    }

    pub(crate) async fn suspend(&self, tenant: &str) {
        let cli = self.store.as_cli();
        self.store
            .tenants(&cli)
            .suspend(tenant, clock::now())
            .await
            .unwrap();
    }

    /// How many keys Acme has that are not revoked.
    pub(crate) async fn used_keys(&self) -> u32 {
        let cli = self.store.as_cli();
        let scope = self.store.tenants(&cli).scope("acme").await.unwrap();
        self.store.keys(&scope).quota().await.unwrap().used
    }

    /// Whether the session of this cookie opens a page.
    pub(crate) async fn is_signed_in(&self, cookie: &str) -> bool {
        self.get("/account").cookie(cookie).send().await.status == 200
    }
}

/// So many days from today, UTC; negative ones are past.
pub(crate) fn day(offset: i64) -> NaiveDate {
    let today = clock::now().date_naive();
    let days = Days::new(offset.unsigned_abs());
    if offset < 0 {
        today - days
    } else {
        today + days
    }
}
