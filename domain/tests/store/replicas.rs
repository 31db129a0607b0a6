//! Several servers on one PostgreSQL database: a change on one of them applies to all.

use chrono::DateTime;
use domain::{
    client_address::ClientAddress,
    group::AuthorizationGroup,
    key::{
        IssuedKey, RotatedExpiry,
        format::Secret,
        verdict::{AllowlistOf, Refusal},
    },
    propagation::Propagation,
    security_policy::SecurityPolicyChanges,
    store::{Store, StoreOptions, TenantScope},
    verify::Verifier,
};
use sea_orm::{ConnectionTrait, TransactionTrait};
use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::{
    keys::{ParseAllowlist, issue},
    test_store::TestStore,
};

/// The bound of P63.
const BOUND: Duration = Duration::from_millis(1_000);
/// Extra time for a loaded machine.
const SLACK: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);

/// One serving store and its verifier.
pub(crate) struct Replica {
    pub(crate) store: Store,
    pub(crate) verifier: Verifier,
}

impl Replica {
    async fn start(fixture: &TestStore) -> Self {
        let store = Store::open(StoreOptions {
            serves: true,
            ..fixture.options()
        })
        .await
        .expect("a store");
        until(async || store.cache_is_valid()).await;
        Self {
            verifier: Verifier::new(store.clone()),
            store,
        }
    }

    pub(crate) async fn judge(&self, secret: &Secret) -> Result<(), Refusal> {
        let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
        let now = DateTime::UNIX_EPOCH;
        let verdict = self.verifier.verify(secret.expose(), client, None, now);
        verdict.await.expect("a verdict").map(|_| ())
    }

    /// Verifies a valid key until the verdict comes from the cache.
    async fn keep(&self, secret: &Secret) {
        until(async || {
            let before = self.verifier.database_reads();
            self.judge(secret).await.expect("a good key");
            self.verifier.database_reads() == before
        })
        .await;
    }
}

/// Waits for a condition, at most `PATIENCE`.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(
            started.elapsed() < PATIENCE,
            "the condition is not met in time"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A database with three replicas.
pub(crate) struct Cluster {
    pub(crate) fixture: TestStore,
    pub(crate) scope: TenantScope,
    pub(crate) group: AuthorizationGroup,
    pub(crate) replicas: Vec<Replica>,
}

impl Cluster {
    pub(crate) async fn key(&self) -> IssuedKey {
        let issued = issue(&self.fixture, &self.scope, &self.group, "ERP").await;
        for replica in &self.replicas {
            replica.keep(&issued.secret).await;
        }
        issued
    }

    async fn assert_refused(&self, secret: &Secret, refusal: Refusal) {
        for replica in &self.replicas {
            assert_eq!(replica.judge(secret).await, Err(refusal.clone()));
        }
    }
}

pub(crate) async fn on_three_replicas<T: Future<Output = ()>>(test: impl FnOnce(Cluster) -> T) {
    let Some(fixture) = TestStore::on_postgres_if_any().await else {
        return;
    };
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &[]).await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Replica::start(&fixture).await);
    }
    test(Cluster {
        fixture,
        scope,
        group,
        replicas,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p62_every_kind_of_change_returns_after_all_replicas_have_applied_it() {
    on_three_replicas(async |cluster| {
        let now = cluster.fixture.now;
        let IssuedKey { key, secret } = cluster.key().await;
        let statements = cluster.replicas[0].store.statements();
        cluster.replicas[0].judge(&secret).await.unwrap();
        assert_eq!(cluster.replicas[0].store.statements(), statements);

        let whole = |receipt: Option<Propagation>| {
            let receipt = receipt.expect("a receipt");
            assert_eq!((receipt.replicas, receipt.refused_on), (3, 3));
        };
        let keys = cluster.replicas[1].store.keys(&cluster.scope);
        let rotated = keys.rotate(key.id, RotatedExpiry::Keep, now).await.unwrap();
        cluster
            .assert_refused(&secret, Refusal::InvalidApiKey)
            .await;
        whole(rotated.propagation);
        for replica in &cluster.replicas {
            replica.keep(&rotated.value.secret).await;
        }

        let operator = cluster.fixture.store.as_cli();
        let tenants = cluster.fixture.store.tenants(&operator);
        tenants.suspend("acme", now).await.unwrap();
        cluster
            .assert_refused(&rotated.value.secret, Refusal::TenantSuspended)
            .await;
        tenants.resume("acme", now).await.unwrap();
        for replica in &cluster.replicas {
            replica.keep(&rotated.value.secret).await;
        }

        let restrict = async |lines: &str| {
            let changes = SecurityPolicyChanges {
                ip_allowlist: Some(lines.parse_allowlist()),
                ..SecurityPolicyChanges::default()
            };
            let policy = cluster.replicas[2].store.security_policy(&cluster.scope);
            policy.change(changes, None, now).await.unwrap().propagation
        };
        let restricted = restrict("203.0.113.0/24").await;
        let by_policy = Refusal::IpNotAllowed(AllowlistOf::Tenant);
        cluster
            .assert_refused(&rotated.value.secret, by_policy)
            .await;
        whole(restricted);
        restrict("").await;
        for replica in &cluster.replicas {
            replica.keep(&rotated.value.secret).await;
        }

        // The change is made by a process that does not serve, such as a command.
        let keys = cluster.fixture.store.keys(&cluster.scope);
        let revoked = keys.revoke(key.id, now).await.unwrap();
        cluster
            .assert_refused(&rotated.value.secret, Refusal::RevokedApiKey)
            .await;
        whole(revoked.propagation);
        // A repeat changes nothing and reports the same propagation.
        whole(keys.revoke(key.id, now).await.unwrap().propagation);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_made_by_plain_sql_are_applied_by_every_replica() {
    on_three_replicas(async |cluster| {
        for sql in [
            "UPDATE api_keys SET revoked_at = now()",
            "UPDATE tenants SET suspended_at = now()",
            "UPDATE tenants SET policy_ip_allowlist = '203.0.113.0/24'",
            "DELETE FROM api_keys",
            "TRUNCATE api_keys CASCADE",
        ] {
            cluster
                .fixture
                .execute_script("UPDATE tenants SET suspended_at = NULL, policy_ip_allowlist = ''")
                .await;
            let secret = cluster.key().await.secret;
            cluster.fixture.execute_script(sql).await;
            let by_hand = Instant::now();
            for replica in &cluster.replicas {
                until(async || replica.judge(&secret).await.is_err()).await;
            }
            eprintln!("{sql}: refused everywhere after {:?}", by_hand.elapsed());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p63_a_transaction_that_commits_late_is_not_missed() {
    on_three_replicas(async |cluster| {
        let first = cluster.key().await;
        let second = cluster.key().await;
        let connection = cluster.fixture.connection().await;
        let late = connection.begin().await.unwrap();
        // This transaction has its id and its change log row before the other one begins.
        late.execute_unprepared(&format!(
            "UPDATE api_keys SET ip_allowlist = '203.0.113.0/24' WHERE id = '{}'",
            first.key.id
        ))
        .await
        .unwrap();
        let keys = cluster.fixture.store.keys(&cluster.scope);
        keys.revoke(second.key.id, cluster.fixture.now)
            .await
            .unwrap();
        cluster
            .assert_refused(&second.secret, Refusal::RevokedApiKey)
            .await;
        for replica in &cluster.replicas {
            assert_eq!(replica.judge(&first.secret).await, Ok(()));
        }
        // A third change moves every replica's read position beyond both.
        let third = cluster.key().await;
        keys.revoke(third.key.id, cluster.fixture.now)
            .await
            .unwrap();
        late.commit().await.unwrap();
        let committed = Instant::now();
        for replica in &cluster.replicas {
            until(async || replica.judge(&first.secret).await.is_err()).await;
        }
        eprintln!("refused everywhere after {:?}", committed.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p63_a_lost_replica_delays_one_change_by_at_most_the_bound() {
    on_three_replicas(async |mut cluster| {
        // The replica stops without deregistering.
        drop(cluster.replicas.pop());
        let keys = cluster.fixture.store.keys(&cluster.scope);
        let key = cluster.key().await;
        let revoked = keys.revoke(key.key.id, cluster.fixture.now).await.unwrap();
        cluster
            .assert_refused(&key.secret, Refusal::RevokedApiKey)
            .await;
        let receipt = revoked.propagation.expect("a receipt");
        assert_eq!((receipt.replicas, receipt.refused_on), (3, 2));
        let waited = Duration::from_millis(receipt.after_ms);
        assert!((BOUND..BOUND + SLACK).contains(&waited), "{receipt:?}");

        until(async || {
            let again = keys.revoke(key.key.id, cluster.fixture.now).await.unwrap();
            again
                .propagation
                .is_some_and(|receipt| receipt.replicas == 2)
        })
        .await;
        // A replica that deregisters causes no delay.
        cluster.replicas[0].store.deregister().await.unwrap();
        let again = keys.revoke(key.key.id, cluster.fixture.now).await.unwrap();
        let receipt = again.propagation.expect("a receipt");
        assert_eq!((receipt.replicas, receipt.refused_on), (1, 1));
        assert!(!cluster.replicas[0].store.cache_is_valid());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_detects_a_replaced_database_by_its_own_row() {
    on_three_replicas(async |cluster| {
        for sql in [
            // The state after restoring an earlier dump.
            "UPDATE replicas SET beat = 0",
            // The state after restoring a dump that was taken while no replica ran.
            "DELETE FROM replicas",
        ] {
            let secret = cluster.key().await.secret;
            let changed = format!(
                "ALTER TABLE api_keys DISABLE TRIGGER USER; \
                 UPDATE api_keys SET revoked_at = now(); {sql}; \
                 ALTER TABLE api_keys ENABLE TRIGGER USER"
            );
            cluster.fixture.execute_script(&changed).await;
            for replica in &cluster.replicas {
                until(async || replica.judge(&secret).await.is_err()).await;
                until(async || replica.store.cache_is_valid()).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_change_log_is_trimmed_after_every_replica_has_read_it_despite_rows_of_another_cluster()
{
    on_three_replicas(async |cluster| {
        let key = cluster.key().await;
        let from_elsewhere =
            "INSERT INTO key_state_changes VALUES ('9999999999', gen_random_uuid())";
        cluster.fixture.execute_script(from_elsewhere).await;
        let keys = cluster.fixture.store.keys(&cluster.scope);
        let revoked = keys.revoke(key.key.id, cluster.fixture.now).await.unwrap();
        let receipt = revoked.propagation.expect("a receipt");
        assert_eq!((receipt.replicas, receipt.refused_on), (3, 3));
        let rows = async || {
            let connection = cluster.fixture.connection().await;
            let rows = connection
                .query_all_raw(sea_orm::Statement::from_string(
                    connection.get_database_backend(),
                    "SELECT subject FROM key_state_changes",
                ))
                .await
                .unwrap();
            connection.close().await.unwrap();
            rows.len()
        };
        assert!(rows().await >= 2);
        until(async || {
            let store = &cluster.replicas[2].store;
            store.prune_change_log().await.unwrap();
            rows().await == 0
        })
        .await;
    })
    .await;
}
