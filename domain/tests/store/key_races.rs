//! Concurrent changes of keys, and changes that fail half-way.

use domain::{
    Error,
    audit::AuditAction,
    client_address::ClientAddress,
    key::{
        IssuedKey, KeyChanges, KeyStatus, RotatedExpiry, format::Secret, query::KeyQuery,
        verdict::Refusal,
    },
    store::{Store, TenantScope},
    verify::Verifier,
};
use tokio::task::JoinSet;

use crate::{
    keys::{issue, new_key},
    test_store::{TestStore, on_every_database},
};

async fn accepts(verifier: &Verifier, secret: &Secret, fixture: &TestStore) -> bool {
    verifier
        .verify(secret.expose(), ClientAddress::Unknown, None, fixture.now)
        .await
        .expect("a verdict")
        .is_ok()
}

/// Runs `work` `times` times in parallel and returns the results.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    times: usize,
    fixture: &TestStore,
    scope: &TenantScope,
    work: impl Fn(Store, TenantScope) -> F,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for _ in 0..times {
        tasks.spawn(work(fixture.store.clone(), scope.clone()));
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn p43_fifty_parallel_creates_at_nine_of_ten_keys_make_exactly_one() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        for _ in 0..9 {
            issue(fixture, &scope, &group, "before").await;
        }
        let keys = fixture.store.keys(&scope);
        for round in 0..20 {
            let outcomes = at_once(50, fixture, &scope, |store, scope| {
                let new = new_key("raced", &group);
                let now = fixture.now;
                async move { store.keys(&scope).create(new, now).await }
            })
            .await;
            let mut made = Vec::new();
            for outcome in outcomes {
                match outcome {
                    Ok(issued) => made.push(issued),
                    Err(Error::KeyLimitReached { limit: 10 }) => {}
                    Err(error) => panic!("round {round}: {error:?}"),
                }
            }
            assert_eq!(made.len(), 1, "round {round}");
            assert_eq!(keys.quota().await.unwrap().used, 10);
            keys.revoke(made[0].key.id, fixture.now).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p44_after_fifty_parallel_rotations_exactly_one_secret_works() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let mut issued: Vec<Secret> = at_once(50, fixture, &scope, |store, scope| {
            let (id, now) = (key.id, fixture.now);
            async move {
                store
                    .keys(&scope)
                    .rotate(id, RotatedExpiry::Keep, now)
                    .await
            }
        })
        .await
        .into_iter()
        .map(|outcome| outcome.expect("a rotation").value.secret)
        .collect();
        issued.push(secret);
        let verifier = Verifier::new(fixture.store.clone());
        let mut working = 0;
        for secret in &issued {
            working += u32::from(accepts(&verifier, secret, fixture).await);
        }
        assert_eq!(working, 1);
        assert!(
            !accepts(&verifier, &issued[50], fixture).await,
            "the first one"
        );
        let read = fixture.store.keys(&scope).get(key.id, fixture.now).await;
        assert_eq!(read.unwrap().version, 51);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p45_rotate_against_revoke_ends_revoked_and_is_audited_in_order() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let verifier = Verifier::new(fixture.store.clone());
        for round in 0..20 {
            let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
            let (id, now) = (key.id, fixture.now);
            let keys = fixture.store.keys(&scope);
            let (rotated, revoked) = tokio::join!(
                tokio::spawn({
                    let (store, scope) = (fixture.store.clone(), scope.clone());
                    async move {
                        store
                            .keys(&scope)
                            .rotate(id, RotatedExpiry::Keep, now)
                            .await
                    }
                }),
                keys.revoke(id, now)
            );
            revoked.expect("revoked");
            let key = keys.get(id, now).await.unwrap();
            assert_eq!(key.status, KeyStatus::Revoked, "round {round}");
            let events = fixture.store.audit(&scope).newest(2).await.unwrap();
            assert_eq!(events[0].action, AuditAction::ApiKeyRevoked);
            match rotated.unwrap() {
                Ok(issued) => {
                    assert!(!accepts(&verifier, &issued.value.secret, fixture).await);
                    assert_eq!(events[1].action, AuditAction::ApiKeyRotated);
                    assert_eq!(key.version, 3);
                }
                Err(Error::KeyRevoked) => {
                    assert_eq!(events[1].action, AuditAction::ApiKeyCreated);
                    assert_eq!(key.version, 2);
                }
                Err(error) => panic!("round {round}: {error:?}"),
            }
            assert!(!accepts(&verifier, &secret, fixture).await);
        }
    })
    .await;
}

const NO_AUDIT_SQLITE: &str = "
    CREATE TRIGGER no_audit BEFORE INSERT ON audit_events
        BEGIN SELECT RAISE(ABORT, 'the audit log is full'); END;
";
const NO_AUDIT_POSTGRES: &str = "
    CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the audit log is full'; END;
    $$;
    CREATE TRIGGER no_audit BEFORE INSERT ON audit_events
        FOR EACH ROW EXECUTE FUNCTION no_audit();
";

#[tokio::test]
async fn p51_a_rotation_without_its_audit_event_is_rolled_back_and_the_old_secret_still_works() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let no_audit = match fixture.sqlite_file() {
            Some(_) => NO_AUDIT_SQLITE,
            None => NO_AUDIT_POSTGRES,
        };
        fixture.execute_script(no_audit).await;

        let keys = fixture.store.keys(&scope);
        let keep = RotatedExpiry::Keep;
        let new = new_key("another", &group);
        let edit = KeyChanges {
            description: Some("Nightly".parse().unwrap()),
            ..KeyChanges::default()
        };
        for refused in [
            keys.create(new, fixture.now).await.err(),
            keys.rotate(key.id, keep, fixture.now).await.err(),
            keys.update(key.id, edit, None, fixture.now).await.err(),
            keys.revoke(key.id, fixture.now).await.err(),
        ] {
            assert!(matches!(refused, Some(Error::Internal(_))), "{refused:?}");
        }
        let page = keys.list(&KeyQuery::default(), fixture.now).await.unwrap();
        assert_eq!(page.items, [key]);
        let verifier = Verifier::new(fixture.store.clone());
        assert!(accepts(&verifier, &secret, fixture).await);
    })
    .await;
}

#[tokio::test]
async fn p34_after_a_rotation_returns_only_the_new_secret_works() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret: old } = issue(fixture, &scope, &group, "ERP").await;
        let keys = fixture.store.keys(&scope);
        let verifier = Verifier::new(fixture.store.clone());
        let judge = async |secret: &Secret| {
            let client = ClientAddress::Unknown;
            let verdict = verifier.verify(secret.expose(), client, None, fixture.now);
            verdict.await.unwrap().map(|verified| verified.key().id)
        };
        assert_eq!(judge(&old).await, Ok(key.id));
        let new = keys
            .rotate(key.id, RotatedExpiry::Keep, fixture.now)
            .await
            .unwrap()
            .value
            .secret;
        assert_eq!(judge(&old).await, Err(Refusal::InvalidApiKey));
        assert_eq!(judge(&new).await, Ok(key.id));
        keys.revoke(key.id, fixture.now).await.unwrap();
        assert_eq!(judge(&new).await, Err(Refusal::RevokedApiKey));
    })
    .await;
}
