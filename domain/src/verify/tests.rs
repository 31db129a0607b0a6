//! The cache of keys and its invalidation, also with a load that is suspended between the read and the insertion.

mod unknown_secrets;

use std::sync::Arc;
use tokio::sync::Semaphore;

use super::{Question, Verifier};
use crate::{
    client_address::ClientAddress,
    group::AuthorizationGroup,
    key::{
        IssuedKey, KeyChanges, NewKey, RotatedExpiry,
        allowlist::Allowlist,
        format::Secret,
        verdict::{AllowlistOf, Refusal},
    },
    permission::PermissionSet,
    security_policy::SecurityPolicyChanges,
    store::{Store, StoreOptions, TenantScope, invalidation::Invalidation, test_store::TestStore},
};

/// A serving store, which caches keys, and the fixture's store beside it, like that of a command.
struct Served {
    fixture: TestStore,
    server: Store,
    scope: TenantScope,
    group: AuthorizationGroup,
    key: IssuedKey,
    verifier: Verifier,
}

impl Served {
    async fn start() -> Self {
        let fixture = TestStore::on_sqlite().await;
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let new = NewKey {
            name: "ERP".parse().expect("a name"),
            description: "".parse().expect("a description"),
            group_id: group.id,
            expires_on: None,
            allowlist: Allowlist::default(),
        };
        let key = fixture.store.keys(&scope).create(new, fixture.now).await;
        let options = StoreOptions {
            serves: true,
            ..fixture.options()
        };
        let server = Store::open(options).await.expect("a store");
        Self {
            verifier: Verifier::new(server.clone()),
            key: key.expect("a key"),
            server,
            scope,
            group,
            fixture,
        }
    }

    async fn judge(&self, secret: &Secret) -> Result<(), Refusal> {
        let permission = "orders:read".parse().expect("a permission");
        let question = Question {
            permission: Some(&permission),
            ..Question::default()
        };
        let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
        let verdict = self
            .verifier
            .answer(question, Ok(secret.expose()), client, self.fixture.now);
        verdict.await.expect("a verdict").map(|_| ())
    }

    /// Verifies the fixture's key.
    async fn judge_key(&self) -> Result<(), Refusal> {
        self.judge(&self.key.secret).await
    }
}

#[tokio::test]
async fn a_cached_key_is_verified_without_a_statement() {
    let served = Served::start().await;
    served.judge_key().await.unwrap();
    assert_eq!(served.verifier.cached_keys(), 1);
    let statements = served.server.statements();
    for _ in 0..100 {
        served.judge_key().await.unwrap();
    }
    assert_eq!(served.server.statements(), statements);
    assert_eq!(served.verifier.database_reads(), 1);
}

#[tokio::test]
async fn p30_unknown_secrets_are_not_cached() {
    let served = Served::start().await;
    let prefix = "lk".parse().expect("a prefix");
    for _ in 0..100 {
        let secret = Secret::generate(&prefix, crate::store::random::fill).expect("random");
        assert_eq!(served.judge(&secret).await, Err(Refusal::InvalidApiKey));
    }
    assert_eq!(served.verifier.cached_keys(), 0);
}

#[tokio::test]
async fn a_store_without_invalidation_caches_nothing() {
    let served = Served::start().await;
    let beside = Verifier::new(served.fixture.store.clone());
    for _ in 0..2 {
        let secret = served.key.secret.expose();
        let verdict = beside.verify(secret, ClientAddress::Unknown, None, served.fixture.now);
        verdict.await.expect("a verdict").expect("a good key");
    }
    assert_eq!((beside.database_reads(), beside.cached_keys()), (2, 0));
}

/// Makes every kind of change that alters a verdict, in this process and while the key is cached.
#[tokio::test]
async fn p39_each_change_applies_to_the_next_request() {
    let served = Served::start().await;
    let (now, scope) = (served.fixture.now, &served.scope);
    let keys = served.server.keys(scope);
    let groups = served.server.groups(scope);
    let operator = served.server.as_cli();
    let tenants = served.server.tenants(&operator);
    let id = served.key.key.id;
    let expect = async |expected: Result<(), Refusal>| {
        // The second verdict comes from the cache.
        assert_eq!(served.judge_key().await, expected);
        let statements = served.server.statements();
        assert_eq!(served.judge_key().await, expected);
        assert_eq!(served.server.statements(), statements);
    };
    let allow = async |lines: &str| {
        let changes = KeyChanges {
            allowlist: Some(Allowlist::parse_lines(lines).expect("a list")),
            ..KeyChanges::default()
        };
        keys.update(id, changes, None, now).await.expect("edited");
    };
    let permit = async |permissions: &[&str]| {
        let permissions = permissions.iter().map(|text| text.parse().expect("one"));
        let permissions = PermissionSet::new(permissions).expect("a small set");
        let group = served.group.id.to_string();
        let changed = groups.set_permissions(&group, permissions, now).await;
        changed.expect("changed");
    };
    expect(Ok(())).await;
    allow("203.0.113.0/24").await;
    expect(Err(Refusal::IpNotAllowed(AllowlistOf::Key))).await;
    allow("").await;
    expect(Ok(())).await;
    let restrict = async |lines: &str| {
        let changes = SecurityPolicyChanges {
            ip_allowlist: Some(Allowlist::parse_lines(lines).expect("a list")),
            ..SecurityPolicyChanges::default()
        };
        let policy = served.server.security_policy(scope);
        policy.change(changes, None, now).await.expect("changed");
    };
    restrict("203.0.113.0/24").await;
    expect(Err(Refusal::IpNotAllowed(AllowlistOf::Tenant))).await;
    // A request must match both lists.
    restrict("192.0.2.0/24").await;
    allow("203.0.113.0/24").await;
    expect(Err(Refusal::IpNotAllowed(AllowlistOf::Key))).await;
    allow("192.0.2.7").await;
    expect(Ok(())).await;
    restrict("").await;
    permit(&["orders:write"]).await;
    let missing = Refusal::MissingPermission("orders:read".parse().expect("a permission"));
    expect(Err(missing)).await;
    permit(&["orders:read"]).await;
    expect(Ok(())).await;
    tenants.suspend("acme", now).await.expect("suspended");
    expect(Err(Refusal::TenantSuspended)).await;
    tenants.resume("acme", now).await.expect("resumed");
    expect(Ok(())).await;
    keys.revoke(id, now).await.expect("revoked");
    expect(Err(Refusal::RevokedApiKey)).await;
}

#[tokio::test]
async fn p34_a_rotated_secret_is_refused_and_the_new_one_accepted() {
    let served = Served::start().await;
    served.judge_key().await.unwrap();
    let keys = served.server.keys(&served.scope);
    let rotated = keys.rotate(served.key.key.id, RotatedExpiry::Keep, served.fixture.now);
    let rotated = rotated.await.expect("rotated");
    assert_eq!(served.judge_key().await, Err(Refusal::InvalidApiKey));
    assert_eq!(served.judge(&rotated.value.secret).await, Ok(()));
}

#[tokio::test]
async fn p47_a_load_overlapping_a_revocation_is_invalid() {
    let served = Arc::new(Served::start().await);
    let (mut arrivals, opened) = served.verifier.shared.pause.close();
    let load = tokio::spawn({
        let served = Arc::clone(&served);
        async move { served.judge_key().await }
    });
    arrivals.recv().await.expect("a load that has read");
    let keys = served.server.keys(&served.scope);
    keys.revoke(served.key.key.id, served.fixture.now)
        .await
        .expect("revoked");
    opened.add_permits(Semaphore::MAX_PERMITS);
    assert_eq!(load.await.expect("a verdict"), Ok(()), "sent before");
    assert_eq!(
        served.verifier.cached_keys(),
        1,
        "the late load has arrived"
    );
    for _ in 0..100 {
        assert_eq!(served.judge_key().await, Err(Refusal::RevokedApiKey));
    }
}

#[tokio::test]
async fn p47_a_cancelled_caller_does_not_prevent_invalidation() {
    let served = Arc::new(Served::start().await);
    served.judge_key().await.unwrap();
    let Invalidation::SingleNode(node) = served.server.database().invalidation() else {
        panic!("it has its file to itself");
    };
    let (mut arrivals, opened) = node.pause.close();
    let caller = tokio::spawn({
        let served = Arc::clone(&served);
        async move {
            let operator = served.server.as_cli();
            let tenants = served.server.tenants(&operator);
            tenants.suspend("acme", served.fixture.now).await
        }
    });
    arrivals.recv().await.expect("a change that is committed");
    // Like a client that disconnects: the change is committed, and the call is cancelled before it returns.
    caller.abort();
    assert!(caller.await.is_err());
    assert_eq!(served.judge_key().await, Ok(()), "no response was sent yet");
    opened.add_permits(Semaphore::MAX_PERMITS);
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while served.judge_key().await != Err(Refusal::TenantSuspended) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is noticed nevertheless");
}

#[tokio::test]
async fn changes_by_another_program_are_applied_by_the_next_poll() {
    let served = Served::start().await;
    served.judge_key().await.unwrap();
    let revoke = "UPDATE api_keys SET revoked_at = $1";
    let now = served.fixture.now.into();
    served
        .fixture
        .execute(revoke, [now])
        .await
        .expect("changed");
    assert_eq!(served.judge_key().await, Ok(()), "no poll has run yet");
    served.server.poll_changes().await;
    assert_eq!(served.judge_key().await, Err(Refusal::RevokedApiKey));
}

#[tokio::test]
async fn too_many_changes_or_an_unreadable_log_invalidate_the_whole_cache() {
    let served = Served::start().await;
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) \
                INSERT INTO key_state_changes (subject) SELECT randomblob(16) FROM n";
    for spoil in [many, "ALTER TABLE key_state_changes RENAME TO away"] {
        served.judge_key().await.unwrap();
        let reads = served.verifier.database_reads();
        served.fixture.execute_script(spoil).await;
        served.server.poll_changes().await;
        served.judge_key().await.unwrap();
        assert_eq!(served.verifier.database_reads(), reads + 1, "{spoil}");
    }
}

async fn notes(served: &Served) -> i64 {
    use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
    let connection = served.fixture.connection().await;
    let count = "SELECT count(*) FROM key_state_changes";
    let count = Statement::from_string(DbBackend::Sqlite, count);
    let row = connection.query_one_raw(count).await.expect("a row");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

#[tokio::test]
async fn pruning_keeps_only_the_newest_log_entry() {
    let served = Served::start().await;
    let operator = served.server.as_cli();
    let tenants = served.server.tenants(&operator);
    let now = served.fixture.now;
    for _ in 0..3 {
        tenants.suspend("acme", now).await.expect("suspended");
        tenants.resume("acme", now).await.expect("resumed");
    }
    assert!(notes(&served).await > 6);
    served.server.prune_change_log().await.expect("deleted");
    assert_eq!(notes(&served).await, 1);
    tenants.suspend("acme", now).await.expect("suspended");
    assert_eq!(served.judge_key().await, Err(Refusal::TenantSuspended));
}

/// A backup that is restored into the file while it is served reuses sequence numbers.
#[tokio::test]
async fn a_replaced_database_invalidates_the_whole_cache() {
    let served = Served::start().await;
    let operator = served.server.as_cli();
    let tenants = served.server.tenants(&operator);
    for spoil in [
        "DELETE FROM key_state_changes; UPDATE sqlite_sequence SET seq = 0",
        "UPDATE key_state_changes SET subject = randomblob(16)",
        "INSERT INTO key_state_changes (subject) VALUES ('no identifier')",
    ] {
        for _ in 0..3 {
            tenants
                .suspend("acme", served.fixture.now)
                .await
                .expect("suspended");
            tenants
                .resume("acme", served.fixture.now)
                .await
                .expect("resumed");
        }
        served.judge_key().await.unwrap();
        let restored =
            format!("UPDATE tenants SET suspended_at = '2026-03-02 12:00:00+00:00'; {spoil}");
        served.fixture.execute_script(&restored).await;
        // Any later change of this process detects it.
        tenants
            .set_limit("acme", 11, served.fixture.now)
            .await
            .expect("changed");
        tenants
            .set_limit("acme", 10, served.fixture.now)
            .await
            .expect("changed");
        assert_eq!(
            served.judge_key().await,
            Err(Refusal::TenantSuspended),
            "{spoil}"
        );
        tenants
            .resume("acme", served.fixture.now)
            .await
            .expect("resumed");
        assert_eq!(served.judge_key().await, Ok(()), "{spoil}");
        let reads = served.verifier.database_reads();
        served.server.poll_changes().await;
        assert_eq!(served.judge_key().await, Ok(()));
        assert_eq!(
            served.verifier.database_reads(),
            reads,
            "it has found its place again"
        );
    }
}
