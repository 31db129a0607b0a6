//! Several servers on one PostgreSQL database: each refuses secrets that do not exist without a query, and accepts new secrets at once.

use domain::{
    key::{KeyChanges, RotatedExpiry, format::Secret, verdict::Refusal},
    store::Store,
};
use sea_orm::TransactionTrait;
use sha2::{Digest as _, Sha256};

use crate::{
    keys::{ParseAllowlist, new_key},
    replicas::{Cluster, Replica, on_three_replicas, until},
};

const ROUNDS: usize = 20;

fn unknown() -> Secret {
    let prefix = "lk".parse().expect("a prefix");
    let secret = Secret::generate(&prefix, getrandom::fill);
    secret.expect("a secret")
}

impl Replica {
    async fn wait_until_loaded(&self) {
        until(async || self.store.known_secrets().is_some()).await;
    }

    /// Asserts that a secret that does not exist is refused, and returns whether that took a statement.
    async fn takes_statements(&self) -> bool {
        let statements = self.store.statements();
        assert_eq!(self.judge(&unknown()).await, Err(Refusal::InvalidApiKey));
        self.store.statements() != statements
    }
}

impl Cluster {
    async fn wait_until_loaded(&self) {
        for replica in &self.replicas {
            replica.wait_until_loaded().await;
        }
    }

    async fn assert_accepted(&self, secret: &Secret) {
        for replica in &self.replicas {
            assert_eq!(replica.judge(secret).await, Ok(()));
        }
    }

    /// A statement that inserts a copy of the only key with another secret, as an earlier version or another program does.
    fn insert_copy(secret: &Secret) -> String {
        let digest = Sha256::digest(secret.expose());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "INSERT INTO api_keys (id, tenant_id, group_id, name, name_lower, description, \
             description_lower, hint, secret_digest, ip_allowlist, created_by_kind, \
             created_by_name, created_at, updated_at, version) \
             SELECT gen_random_uuid(), tenant_id, group_id, name, name_lower, description, \
                 description_lower, hint, decode('{digits}', 'hex'), ip_allowlist, \
                 created_by_kind, created_by_name, created_at, updated_at, version \
             FROM api_keys LIMIT 1"
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p30_an_unknown_secret_is_refused_by_every_replica_without_a_statement() {
    on_three_replicas(async |cluster| {
        let key = cluster.key().await;
        cluster.wait_until_loaded().await;
        for replica in &cluster.replicas {
            let reads = replica.verifier.database_reads();
            for _ in 0..20 {
                assert!(!replica.takes_statements().await);
            }
            assert_eq!(replica.verifier.database_reads(), reads);
        }
        cluster.assert_accepted(&key.secret).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p34_new_secrets_work_on_every_replica_from_the_return_of_their_creation_on() {
    on_three_replicas(async |cluster| {
        cluster.wait_until_loaded().await;
        let now = cluster.fixture.now;
        // One of them does not serve, like a command.
        let stores: Vec<&Store> = (cluster.replicas.iter())
            .map(|replica| &replica.store)
            .chain([&cluster.fixture.store])
            .collect();
        for round in 0..ROUNDS {
            let keys = stores[round % stores.len()].keys(&cluster.scope);
            let created = keys.create(new_key("ERP", &cluster.group), now).await;
            let created = created.expect("a key");
            cluster.assert_accepted(&created.secret).await;
            let id = created.key.id;
            let rotated = keys.rotate(id, RotatedExpiry::Keep, now).await;
            let rotated = rotated.expect("rotated").value;
            cluster.assert_accepted(&rotated.secret).await;
            keys.revoke(id, now).await.expect("revoked");
            for replica in &cluster.replicas {
                let verdict = replica.judge(&rotated.secret).await;
                assert_eq!(verdict, Err(Refusal::RevokedApiKey));
            }
        }
        for replica in &cluster.replicas {
            assert_eq!(replica.store.known_secrets(), Some(2 * ROUNDS), "no reload");
        }
    })
    .await;
}

/// Like an earlier version of Latchkey, which knows no fingerprints: the triggers log the key. A transaction that commits late is not missed.
#[tokio::test(flavor = "multi_thread")]
async fn p34_keys_that_plain_sql_inserts_work_also_if_their_transaction_commits_late() {
    on_three_replicas(async |cluster| {
        let first = cluster.key().await;
        cluster.wait_until_loaded().await;
        let connection = cluster.fixture.connection().await;
        let late = connection.begin().await.expect("begun");
        let (secret, other) = (unknown(), unknown());
        let insert = Cluster::insert_copy(&secret);
        sea_orm::ConnectionTrait::execute_unprepared(&late, &insert)
            .await
            .expect("inserted");
        // A later transaction commits first and moves every replica's position.
        let keys = cluster.fixture.store.keys(&cluster.scope);
        let changes = KeyChanges {
            allowlist: Some("192.0.2.0/24".parse_allowlist()),
            ..KeyChanges::default()
        };
        let edited = keys.update(first.key.id, changes, None, cluster.fixture.now);
        edited.await.expect("edited");
        late.commit().await.expect("committed");
        cluster
            .fixture
            .execute_script(&Cluster::insert_copy(&other))
            .await;
        for replica in &cluster.replicas {
            until(async || replica.judge(&secret).await == Ok(())).await;
            until(async || replica.judge(&other).await == Ok(())).await;
            assert!(replica.store.known_secrets().is_some(), "no reload");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p34_secrets_of_a_replaced_database_are_loaded_again() {
    on_three_replicas(async |cluster| {
        cluster.key().await;
        cluster.wait_until_loaded().await;
        for sql in [
            // The states after restoring earlier dumps.
            "UPDATE replicas SET beat = 0",
            "DELETE FROM replicas",
            // More changes than are applied one by one.
            "INSERT INTO key_state_changes (subject) SELECT gen_random_uuid() FROM generate_series(1, 2000)",
            // The entry of a truncated table.
            "INSERT INTO key_state_changes (subject) VALUES (NULL)",
        ] {
            let secret = unknown();
            let restored = format!(
                "BEGIN; ALTER TABLE api_keys DISABLE TRIGGER note_addition; {}; {sql}; \
                 ALTER TABLE api_keys ENABLE ALWAYS TRIGGER note_addition; COMMIT",
                Cluster::insert_copy(&secret)
            );
            cluster.fixture.execute_script(&restored).await;
            for replica in &cluster.replicas {
                until(async || replica.judge(&secret).await == Ok(())).await;
                until(async || !replica.takes_statements().await).await;
                assert_eq!(replica.judge(&secret).await, Ok(()), "{sql}");
            }
        }
    })
    .await;
}

/// Restoring a dump creates tables, then rows, then triggers.
#[tokio::test(flavor = "multi_thread")]
async fn p34_without_the_triggers_every_replica_looks_every_secret_up() {
    on_three_replicas(async |cluster| {
        cluster.key().await;
        cluster.wait_until_loaded().await;
        let disable = "ALTER TABLE api_keys DISABLE TRIGGER note_addition; DELETE FROM replicas";
        cluster.fixture.execute_script(disable).await;
        for replica in &cluster.replicas {
            until(async || replica.store.known_secrets().is_none()).await;
            until(async || replica.store.cache_is_valid()).await;
        }
        for _ in 0..5 {
            let secret = unknown();
            let insert = Cluster::insert_copy(&secret);
            cluster.fixture.execute_script(&insert).await;
            cluster.assert_accepted(&secret).await;
        }
        let enable = "ALTER TABLE api_keys ENABLE ALWAYS TRIGGER note_addition";
        cluster.fixture.execute_script(enable).await;
        for replica in &cluster.replicas {
            until(async || !replica.takes_statements().await).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p63_without_a_lease_every_secret_is_looked_up() {
    on_three_replicas(async |cluster| {
        cluster.wait_until_loaded().await;
        let cut_off = &cluster.replicas[0];
        cut_off.store.deregister().await.expect("deregistered");
        let created = cluster.replicas[1]
            .store
            .keys(&cluster.scope)
            .create(new_key("ERP", &cluster.group), cluster.fixture.now)
            .await
            .expect("a key");
        cluster.assert_accepted(&created.secret).await;
        assert!(cut_off.takes_statements().await);
        assert!(!cluster.replicas[1].takes_statements().await);
    })
    .await;
}
