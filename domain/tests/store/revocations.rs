//! Revocations of one and of many keys, with a reason.

use chrono::TimeDelta;
use domain::{
    Error,
    actor::ActorKind,
    audit::{AuditAction, AuditEvent},
    id::KeyId,
    key::{KeyStatus, reason::RevocationReason},
    store::{TenantScope, idempotency::IdempotencyKey, keys::MAX_REVOKED_AT_ONCE},
    verify::Verifier,
};

use crate::{
    keys::issue,
    test_store::{TestStore, on_every_database},
};

fn reason(text: &str) -> RevocationReason {
    text.parse().expect("a reason")
}

async fn revocations(fixture: &TestStore, scope: &TenantScope) -> Vec<AuditEvent> {
    let events = fixture.store.audit(scope).newest(500).await;
    let mut events = events.expect("events");
    events.retain(|event| event.action == AuditAction::ApiKeyRevoked);
    events
}

#[tokio::test]
async fn a_revoked_key_names_who_revoked_it_and_why() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        assert_eq!(
            (&key.key.revoked_by, &key.key.revoked_reason),
            (&None, &None)
        );
        let keys = fixture.store.keys(&scope);
        let (id, now) = (key.key.id, fixture.now);
        let lost = reason("Laptop lost");
        let revoked = keys.revoke_with_reason(id, Some(&lost), now).await;
        let revoked = revoked.unwrap().value;
        let who = revoked.revoked_by.clone().expect("an actor");
        assert_eq!(
            (who.kind, who.id, who.name.as_str()),
            (ActorKind::Cli, None, "latchkey")
        );
        assert_eq!(revoked.revoked_reason, Some(lost));
        let events = revocations(fixture, &scope).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].changes["revoked_reason"]["after"], "Laptop lost");

        // A repeat changes neither the key nor the audit log.
        let later = now + TimeDelta::hours(1);
        let other = reason("Another reason");
        let again = keys.revoke_with_reason(id, Some(&other), later).await;
        assert_eq!(again.unwrap().value, revoked);
        assert_eq!(keys.get(id, later).await.unwrap(), revoked);
        assert_eq!(revocations(fixture, &scope).await, events);

        // The event of a revocation without a reason contains none.
        let second = issue(fixture, &scope, &group, "CRM").await;
        let revoked = keys.revoke(second.key.id, now).await.unwrap();
        assert_eq!(revoked.value.revoked_reason, None);
        let newest = &revocations(fixture, &scope).await[0];
        assert_eq!(newest.changes.get("revoked_reason"), None);
    })
    .await;
}

#[tokio::test]
async fn several_keys_are_revoked_in_one_transaction() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let mut made = Vec::new();
        for name in ["First", "Second", "Third"] {
            made.push(issue(fixture, &scope, &group, name).await);
        }
        let keys = fixture.store.keys(&scope);
        let now = fixture.now;
        let before = keys.revoke(made[1].key.id, now).await.unwrap().value;
        let later = now + TimeDelta::hours(1);
        let why = reason("Supplier left");
        // Not in the order of creation, and one key twice.
        let ids = [2, 0, 1, 2].map(|index: usize| made[index].key.id);
        let revoked = keys.revoke_many(&ids, Some(&why), later).await;
        let revoked = revoked.unwrap().value;
        let shown: Vec<_> = revoked.items.iter().map(|key| key.id).collect();
        assert_eq!(shown, ids[..3]);
        assert!(
            revoked
                .items
                .iter()
                .all(|key| key.status == KeyStatus::Revoked)
        );
        assert_eq!(
            revoked.items[2], before,
            "what was revoked before stays as it was"
        );
        for key in &revoked.items[..2] {
            assert_eq!(key.revoked_at, Some(later));
            assert_eq!(key.updated_at, later);
            assert_eq!(key.version, 2);
            assert_eq!(key.revoked_reason.as_ref(), Some(&why));
            assert_eq!(*key, keys.get(key.id, later).await.unwrap());
        }
        let events = revocations(fixture, &scope).await;
        assert_eq!(events.len(), 3, "one event a key");
        let with_reason = events.iter().filter(|event| {
            event.changes["revoked_reason"]["after"] == "Supplier left" && event.at == later
        });
        assert_eq!(with_reason.count(), 2);
        assert_eq!(keys.quota().await.unwrap().used, 0);
        let verifier = Verifier::new(fixture.store.clone());
        for key in &made {
            let client = domain::client_address::ClientAddress::Unknown;
            let verdict = verifier
                .verify(key.secret.expose(), client, None, later)
                .await;
            let refusal = verdict.expect("a verdict").expect_err("revoked");
            assert_eq!(refusal.code(), "revoked_api_key");
        }
    })
    .await;
}

#[tokio::test]
async fn p27_all_keys_are_revoked_or_none() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let own = issue(fixture, &scope, &group, "Own").await;
        let other = fixture.tenant("globex").await;
        let their_group = fixture.group(&other, "Ordering", &[]).await;
        let theirs = issue(fixture, &other, &their_group, "Theirs").await;
        let absent: KeyId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let keys = fixture.store.keys(&scope);
        let mut messages = Vec::new();
        for foreign in [theirs.key.id, absent] {
            let ids = [own.key.id, foreign];
            let refused = keys.revoke_many(&ids, None, fixture.now).await;
            let Err(Error::Invalid(errors)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].field, "ids");
            messages.push(errors[0].message.replace(&foreign.to_string(), "ID"));
        }
        assert_eq!(
            messages[0], messages[1],
            "another tenant's key is as absent"
        );
        let too_many = vec![own.key.id; 1]
            .into_iter()
            .chain((0..MAX_REVOKED_AT_ONCE).map(|_| uuid::Uuid::now_v7().into()))
            .collect::<Vec<KeyId>>();
        for ids in [&[][..], &too_many] {
            let refused = keys.revoke_many(ids, None, fixture.now).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
        for (scope, id) in [(&scope, own.key.id), (&other, theirs.key.id)] {
            let key = fixture
                .store
                .keys(scope)
                .get(id, fixture.now)
                .await
                .unwrap();
            assert_eq!(key.status, KeyStatus::Active);
            assert!(revocations(fixture, scope).await.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn p35_a_repeat_of_a_bulk_revocation_changes_nothing() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let first = issue(fixture, &scope, &group, "First").await;
        let second = issue(fixture, &scope, &group, "Second").await;
        let acting = issue(fixture, &scope, &group, "Acting").await;
        let keys = fixture.store.keys(&scope);
        let ids = [first.key.id, second.key.id];
        let token = |content: &[u8]| {
            IdempotencyKey::header(acting.key.id, "token", content).expect("a token")
        };
        let now = fixture.now;
        let both = token(b"both");
        let once = keys.idempotent(Some(&both));
        let done = once.revoke_many(&ids, None, now).await.unwrap().value;
        let later = now + TimeDelta::hours(1);
        let repeated = once.revoke_many(&ids, None, later).await;
        assert!(
            matches!(repeated, Err(Error::Repeated { .. })),
            "{repeated:?}"
        );
        assert_eq!(keys.get_many(&ids, later).await.unwrap(), done.items);
        let other = token(b"else");
        let once = keys.idempotent(Some(&other));
        let reused = once.revoke_many(&ids, None, later).await;
        assert!(matches!(reused, Err(Error::RequestReused)), "{reused:?}");
        assert_eq!(revocations(fixture, &scope).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn p45_crossing_bulk_revocations_revoke_each_key_once() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let mut ids = Vec::new();
        for number in 0..8 {
            ids.push(
                issue(fixture, &scope, &group, &format!("Key {number}"))
                    .await
                    .key
                    .id,
            );
        }
        let mut reversed = ids.clone();
        reversed.reverse();
        let requests = (0..6).map(|number| {
            let (store, scope) = (fixture.store.clone(), scope.clone());
            let ids = if number % 2 == 0 {
                ids.clone()
            } else {
                reversed.clone()
            };
            let now = fixture.now;
            tokio::spawn(async move { store.keys(&scope).revoke_many(&ids, None, now).await })
        });
        let requests: Vec<_> = requests.collect();
        for request in requests {
            let revoked = request.await.expect("no panic").expect("revoked");
            let revoked = revoked.value;
            assert!(
                revoked
                    .items
                    .iter()
                    .all(|key| key.status == KeyStatus::Revoked)
            );
        }
        assert_eq!(revocations(fixture, &scope).await.len(), ids.len());
    })
    .await;
}
