//! Secrets that do not exist are refused without a query, and new secrets work at once.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use std::time::Duration;
use tokio::sync::Semaphore;

use super::*;
use crate::store::random;

/// Waits until the fingerprints of all secrets are loaded. Returns their number.
async fn loaded(served: &Served) -> usize {
    tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Some(secrets) = served.server.known_secrets() {
                return secrets;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("loaded")
}

fn unknown() -> Secret {
    let prefix = "lk".parse().expect("a prefix");
    Secret::generate(&prefix, random::fill).expect("random bytes")
}

/// Asserts that a secret that does not exist is refused, and returns whether that took a statement.
async fn takes_statements(served: &Served) -> bool {
    let statements = served.server.statements();
    assert_eq!(served.judge(&unknown()).await, Err(Refusal::InvalidApiKey));
    served.server.statements() != statements
}

impl Served {
    fn new_key(&self) -> NewKey {
        NewKey {
            name: "ERP".parse().expect("a name"),
            description: "".parse().expect("a description"),
            group_id: self.group.id,
            expires_on: None,
            allowlist: Allowlist::default(),
        }
    }

    /// Creates a key through this store.
    async fn create(&self, store: &Store) -> IssuedKey {
        let keys = store.keys(&self.scope);
        let issued = keys.create(self.new_key(), self.fixture.now).await;
        issued.expect("a key")
    }

    /// Removes the server's position in the change log, as a restored backup does, and makes the server find that.
    async fn lose_change_log(&self) {
        self.fixture
            .execute_script("DELETE FROM key_state_changes")
            .await;
        self.server.poll_changes().await;
    }

    /// Inserts a copy of the key with other secrets, as another program or an earlier version does. `digests` is a query with one column.
    async fn insert_copies(&self, digests: &str) {
        let insert = format!(
            "INSERT INTO api_keys (id, tenant_id, group_id, name, name_lower, description, \
             description_lower, hint, secret_digest, ip_allowlist, created_by_kind, \
             created_by_name, created_at, updated_at, version) \
             SELECT randomblob(16), \
                 tenant_id, group_id, name, name_lower, description, description_lower, hint, \
                 digests.digest, ip_allowlist, created_by_kind, created_by_name, created_at, \
                 updated_at, version \
             FROM (SELECT * FROM api_keys LIMIT 1), ({digests}) AS digests"
        );
        self.fixture.execute_script(&insert).await;
    }
}

/// The digest of a secret as a literal of SQL.
fn literal(secret: &Secret) -> String {
    let digest = random::sha256(secret.expose());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{digits}'")
}

#[tokio::test]
async fn p30_an_unknown_secret_is_refused_without_a_statement() {
    let served = Served::start().await;
    assert_eq!(loaded(&served).await, 1);
    for _ in 0..100 {
        assert!(!takes_statements(&served).await);
    }
    assert_eq!(served.verifier.database_reads(), 0);
    served.judge_key().await.expect("a good key");
}

#[tokio::test]
async fn p34_new_secrets_work_from_the_return_of_their_creation_on() {
    let served = Served::start().await;
    loaded(&served).await;
    let created = served.create(&served.server).await;
    assert_eq!(served.judge(&created.secret).await, Ok(()));
    let keys = served.server.keys(&served.scope);
    let rotated = keys.rotate(created.key.id, RotatedExpiry::Keep, served.fixture.now);
    let rotated = rotated.await.expect("rotated").value;
    assert_eq!(served.judge(&rotated.secret).await, Ok(()));
    assert_eq!(served.server.known_secrets(), Some(3), "no reload");
}

/// A command beside the server waits for the server's confirmation before it prints the secret.
#[tokio::test]
async fn p34_a_key_that_a_command_creates_works_once_the_server_has_confirmed_it() {
    let served = Served::start().await;
    loaded(&served).await;
    let socket = served.server.open_control_socket().expect("a socket");
    let serving = tokio::spawn(socket.expect("one server").serve());
    let command = &served.fixture.store;
    let created = served.create(command).await;
    assert_eq!(
        served.judge(&created.secret).await,
        Err(Refusal::InvalidApiKey),
        "the server has not read the change log"
    );
    command.confirm().await.expect("confirmed");
    assert_eq!(served.judge(&created.secret).await, Ok(()));
    let keys = command.keys(&served.scope);
    let rotated = keys.rotate(created.key.id, RotatedExpiry::Keep, served.fixture.now);
    let rotated = rotated.await.expect("rotated").value;
    command.confirm().await.expect("confirmed");
    assert_eq!(served.judge(&rotated.secret).await, Ok(()));
    serving.abort();
}

/// Like an earlier version of Latchkey, which knows no fingerprints: the triggers log the key.
#[tokio::test]
async fn p34_a_key_that_plain_sql_inserts_works_after_the_next_poll() {
    let served = Served::start().await;
    loaded(&served).await;
    let secret = unknown();
    let digest = literal(&secret);
    served
        .insert_copies(&format!("SELECT {digest} AS digest"))
        .await;
    served.server.poll_changes().await;
    assert_eq!(served.judge(&secret).await, Ok(()));
    let other = unknown();
    let change = format!(
        "UPDATE api_keys SET secret_digest = {} WHERE secret_digest = {digest}",
        literal(&other)
    );
    served.fixture.execute_script(&change).await;
    served.server.poll_changes().await;
    assert_eq!(served.judge(&other).await, Ok(()));
}

#[tokio::test]
async fn a_revoked_and_an_archived_secret_keep_their_verdict() {
    let served = Served::start().await;
    let now = served.fixture.now;
    loaded(&served).await;
    let keys = served.server.keys(&served.scope);
    keys.revoke(served.key.key.id, now).await.expect("revoked");
    assert_eq!(served.judge_key().await, Err(Refusal::RevokedApiKey));
    while served
        .server
        .archive_revoked_keys(0, now)
        .await
        .expect("archived")
    {}
    assert_eq!(served.judge_key().await, Err(Refusal::RevokedApiKey));
    // The next load finds it in the archive.
    served.lose_change_log().await;
    assert_eq!(loaded(&served).await, 1);
    assert_eq!(served.judge_key().await, Err(Refusal::RevokedApiKey));
    assert!(!takes_statements(&served).await);
}

#[tokio::test]
async fn p34_a_key_created_during_a_load_works_during_and_after_it() {
    let served = Served::start().await;
    loaded(&served).await;
    let Invalidation::SingleNode(node) = served.server.database().invalidation() else {
        panic!("it has its file to itself");
    };
    let (mut arrivals, opened) = node.validity().pause.close();
    served.lose_change_log().await;
    // The page of the keys is read, and the new key is not in it.
    arrivals.recv().await.expect("a load");
    let created = served.create(&served.server).await;
    assert_eq!(served.judge(&created.secret).await, Ok(()));
    assert_eq!(served.server.known_secrets(), None);
    assert!(takes_statements(&served).await, "the set is not complete");
    opened.add_permits(Semaphore::MAX_PERMITS);
    assert_eq!(loaded(&served).await, 2);
    assert_eq!(served.judge(&created.secret).await, Ok(()));
    served.judge_key().await.expect("a good key");
    assert!(!takes_statements(&served).await);
}

#[tokio::test]
async fn p34_a_change_log_that_is_lost_during_a_load_begins_another_load() {
    let served = Served::start().await;
    loaded(&served).await;
    let Invalidation::SingleNode(node) = served.server.database().invalidation() else {
        panic!("it has its file to itself");
    };
    let (mut arrivals, opened) = node.validity().pause.close();
    served.lose_change_log().await;
    arrivals.recv().await.expect("a load");
    // This key is in no page of the load that runs, and its entry is lost.
    let secret = unknown();
    let digests = format!("SELECT {} AS digest", literal(&secret));
    served.insert_copies(&digests).await;
    served.lose_change_log().await;
    opened.add_permits(Semaphore::MAX_PERMITS);
    assert_eq!(loaded(&served).await, 2);
    assert_eq!(served.judge(&secret).await, Ok(()));
}

/// More entries than are applied one by one, more keys than a page has, and digests at the ends of the order.
#[tokio::test]
async fn many_new_keys_of_another_program_are_loaded_in_pages() {
    let served = Served::start().await;
    loaded(&served).await;
    let secret = unknown();
    let digests = format!(
        "SELECT randomblob(32) AS digest FROM (
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4100) SELECT i FROM n)
         UNION ALL SELECT zeroblob(32) UNION ALL SELECT x'{}01'
         UNION ALL SELECT x'{}' UNION ALL SELECT x'{}ee'
         UNION ALL SELECT x'01' UNION ALL SELECT 'no digest' UNION ALL SELECT {}",
        "00".repeat(31),
        "ff".repeat(32),
        "ff".repeat(31),
        literal(&secret)
    );
    served.insert_copies(&digests).await;
    served.server.poll_changes().await;
    // The two first digests have one fingerprint, as have the two last ones; two values are no digests.
    assert_eq!(loaded(&served).await, 1 + 4_100 + 1 + 1 + 1);
    assert_eq!(served.judge(&secret).await, Ok(()));
    served.judge_key().await.expect("a good key");
    assert!(!takes_statements(&served).await);
}

/// While a dump is restored, tables have rows before they have triggers.
#[tokio::test]
async fn p34_without_the_triggers_every_secret_is_looked_up() {
    let served = Served::start().await;
    loaded(&served).await;
    let trigger = "SELECT sql FROM sqlite_master WHERE name = 'api_keys_note_addition'";
    let connection = served.fixture.connection().await;

    let row = connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, trigger));
    let row = row.await.expect("a row").expect("a row");
    let create: String = row.try_get_by_index(0).expect("a text");
    served
        .fixture
        .execute_script("DROP TRIGGER api_keys_note_addition")
        .await;
    served.lose_change_log().await;
    for _ in 0..20 {
        let secret = unknown();
        let digests = format!("SELECT {} AS digest", literal(&secret));
        served.insert_copies(&digests).await;
        assert_eq!(served.judge(&secret).await, Ok(()));
        assert!(takes_statements(&served).await);
    }
    served.fixture.execute_script(&create).await;
    assert_eq!(loaded(&served).await, 21);
    assert!(!takes_statements(&served).await);
}
