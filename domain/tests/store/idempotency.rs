//! Idempotency: a repeated or parallel duplicate request makes one change and one audit event.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    audit::AuditAction,
    id::{KeyId, UserId},
    key::{ApiKey, KeyChanges, KeyStatus, RotatedExpiry, query::KeyQuery},
    store::{TenantScope, idempotency::IdempotencyKey, keys::Keys},
};
use sea_orm::{ConnectionTrait, Statement};
use std::pin::pin;
use uuid::{NoContext, Timestamp, Uuid};

use crate::{
    key_races::at_once,
    keys::{issue, new_key},
    test_store::{TestStore, on_every_database},
};

/// Expects a repeated request, and returns the current state of its key.
async fn repeated<T: std::fmt::Debug>(
    keys: &Keys<'_>,
    result: Result<T, Error>,
    now: DateTime<Utc>,
) -> ApiKey {
    match result {
        Err(Error::Repeated { id }) => keys.get(id.into(), now).await.expect("a key"),
        other => panic!("not a repeat: {other:?}"),
    }
}

/// The identifier of a form that was rendered at `time`.
fn form_shown_at(time: DateTime<Utc>) -> Uuid {
    let seconds = time.timestamp().try_into().expect("after 1970");
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        seconds,
        time.timestamp_subsec_nanos(),
    ))
}

fn token(text: &str) -> IdempotencyKey {
    let key = KeyId::from(Uuid::nil());
    IdempotencyKey::header(key, text, b"content").expect("a token")
}

fn renamed(name: &str) -> KeyChanges {
    KeyChanges {
        name: Some(name.parse().expect("a name")),
        ..KeyChanges::default()
    }
}

async fn events(fixture: &TestStore, scope: &TenantScope, action: AuditAction) -> usize {
    let events = fixture.store.audit(scope).newest(200).await;
    let events = events.expect("a result");
    events.iter().filter(|event| event.action == action).count()
}

async fn remembered(fixture: &TestStore) -> i64 {
    let connection = fixture.connection().await;
    let backend = connection.get_database_backend();
    let row = connection
        .query_one_raw(Statement::from_string(
            backend,
            "SELECT count(*) FROM one_time_requests",
        ))
        .await;
    let count = row.expect("a result").expect("a row");
    connection.close().await.expect("closed");
    count.try_get_by_index(0).expect("a number")
}

#[tokio::test]
async fn a_repeated_request_changes_nothing_and_is_audited_once() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let later = fixture.now + TimeDelta::hours(1);

        let create = token("create");
        let new = || new_key("ERP", &group);
        let creating = keys.idempotent(Some(&create));
        let made = creating.create(new(), fixture.now).await.unwrap();
        let again = creating.create(new(), later).await;
        assert_eq!(repeated(&keys, again, later).await, made.key);
        assert_eq!(keys.quota().await.unwrap().used, 1);

        let id = made.key.id;
        let (rotate, keep) = (token("rotate"), RotatedExpiry::Keep);
        let rotating = keys.idempotent(Some(&rotate));
        let rotated = rotating.rotate(id, keep, later).await.unwrap().value;
        let again = rotating.rotate(id, keep, later).await;
        assert_eq!(repeated(&keys, again, later).await, rotated.key);

        let (edit, version) = (token("edit"), Some(2));
        let editing = keys.idempotent(Some(&edit));
        let edited = editing.update(id, renamed("CRM"), version, later).await;
        let edited = edited.unwrap().value;
        assert_eq!((edited.version, edited.name.as_str()), (3, "CRM"));
        // The repeated edit contains the version before the edit.
        let again = editing.update(id, renamed("CRM"), version, later).await;
        assert_eq!(repeated(&keys, again, later).await, edited);

        // A repeat returns the key's current state.
        let revoke = token("revoke");
        let revoking = keys.idempotent(Some(&revoke));
        let revoked = revoking.revoke(id, later).await.unwrap().value;
        let again = revoking.revoke(id, later).await;
        assert_eq!(repeated(&keys, again, later).await, revoked);
        let again = creating.create(new(), later).await;
        assert_eq!(repeated(&keys, again, later).await, revoked);
        let again = rotating.rotate(id, keep, later).await;
        assert_eq!(
            repeated(&keys, again, later).await.status,
            KeyStatus::Revoked
        );
        for action in [
            AuditAction::ApiKeyCreated,
            AuditAction::ApiKeyRotated,
            AuditAction::ApiKeyUpdated,
            AuditAction::ApiKeyRevoked,
        ] {
            assert_eq!(events(fixture, &scope, action).await, 1, "{action:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_reused_for_another_request_is_refused_until_it_expires() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let key = KeyId::from(Uuid::now_v7());
        let with = |content: &[u8]| IdempotencyKey::header(key, "token", content).unwrap();
        let create = async |content: &[u8], now| {
            let new = new_key("ERP", &group);
            keys.idempotent(Some(&with(content))).create(new, now).await
        };
        let first = create(b"ERP", fixture.now).await.unwrap();
        let just_in_time = fixture.now + TimeDelta::hours(24) - TimeDelta::seconds(1);
        for now in [fixture.now, just_in_time] {
            let refused = create(b"CRM", now).await;
            assert!(matches!(refused, Err(Error::RequestReused)), "{refused:?}");
            let again = create(b"ERP", now).await;
            assert_eq!(repeated(&keys, again, now).await, first.key);
        }
        assert_eq!(keys.quota().await.unwrap().used, 1);
        let forgotten = fixture.now + TimeDelta::hours(24);
        let second = create(b"CRM", forgotten).await.unwrap();
        assert_ne!(second.key.id, first.key.id);
        let refused = create(b"ERP", forgotten).await;
        assert!(matches!(refused, Err(Error::RequestReused)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn expired_tokens_of_the_tenant_are_deleted_in_bounded_batches() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        for scope in [&acme, &globex] {
            let group = fixture.group(scope, "Ordering", &[]).await;
            let id = issue(fixture, scope, &group, "ERP").await.key.id;
            let keys = fixture.store.keys(scope);
            for number in 0..120 {
                let edit = token(&format!("edit-{number}"));
                let editing = keys.idempotent(Some(&edit));
                let edited = editing.update(id, renamed("ERP"), None, fixture.now);
                edited.await.unwrap();
            }
        }
        assert_eq!(remembered(fixture).await, 240);
        let later = fixture.now + TimeDelta::hours(24);
        let keys = fixture.store.keys(&acme);
        let page = keys.list(&KeyQuery::default(), later).await.unwrap();
        let edit = async |text: &str| {
            let id = page.items[0].id;
            let idempotency = token(text);
            let editing = keys.idempotent(Some(&idempotency));
            let edited = editing.update(id, renamed("ERP"), None, later);
            edited.await.unwrap();
        };
        edit("later").await;
        assert_eq!(remembered(fixture).await, 240 - 100 + 1);
        edit("once more").await;
        assert_eq!(remembered(fixture).await, 120 + 2);
    })
    .await;
}

#[tokio::test]
async fn a_failed_request_leaves_its_token_unused() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let keys = fixture.store.keys(&scope);
        tenants.set_limit("acme", 0, fixture.now).await.unwrap();
        let create = token("create");
        let new = || new_key("ERP", &group);
        let creating = keys.idempotent(Some(&create));
        let refused = creating.create(new(), fixture.now).await;
        assert!(
            matches!(refused, Err(Error::KeyLimitReached { limit: 0 })),
            "{refused:?}"
        );
        tenants.set_limit("acme", 1, fixture.now).await.unwrap();
        let made = creating.create(new(), fixture.now).await.unwrap();
        let id = made.key.id;

        let edit = token("edit");
        let editing = keys.idempotent(Some(&edit));
        let stale = editing.update(id, renamed("CRM"), Some(9), fixture.now);
        assert!(matches!(stale.await, Err(Error::Stale)));
        let edited = editing.update(id, renamed("CRM"), Some(1), fixture.now);
        edited.await.unwrap();
        keys.revoke(id, fixture.now).await.unwrap();
        let rotate = token("rotate");
        let rotating = keys.idempotent(Some(&rotate));
        let rotated = rotating.rotate(id, RotatedExpiry::Keep, fixture.now);
        assert!(matches!(rotated.await, Err(Error::KeyRevoked)));
        assert_eq!(remembered(fixture).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_token_counts_for_one_actor_only() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let (mira, jon) = (Uuid::now_v7(), Uuid::now_v7());
        let form_id = form_shown_at(fixture.now);
        let form = |user: Uuid| {
            IdempotencyKey::form(UserId::from(user), form_id, b"", fixture.now).unwrap()
        };
        let of_key = IdempotencyKey::header(mira.into(), &form_id.to_string(), b"").unwrap();
        for scope in [&acme, &globex] {
            let group = fixture.group(scope, "Ordering", &[]).await;
            for idempotency in [form(mira), form(jon), of_key.clone()] {
                let keys = fixture.store.keys(scope);
                let creating = keys.idempotent(Some(&idempotency));
                let made = creating.create(new_key("ERP", &group), fixture.now).await;
                let again = creating.create(new_key("ERP", &group), fixture.now).await;
                let again = repeated(&keys, again, fixture.now).await;
                assert_eq!(again, made.unwrap().key);
            }
            let usage = fixture.store.keys(scope).quota().await;
            assert_eq!(usage.unwrap().used, 3);
        }
    })
    .await;
}

#[test]
fn form_identifiers_that_are_too_old_or_not_issued_are_refused() {
    let now: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
    let user = UserId::from(Uuid::nil());
    let form = |id: Uuid| IdempotencyKey::form(user, id, b"", now);
    for shown_at in [
        now,
        now - TimeDelta::hours(23),
        now - TimeDelta::hours(24) + TimeDelta::milliseconds(1),
        now + TimeDelta::minutes(59),
    ] {
        form(form_shown_at(shown_at)).expect("a form");
    }
    for id in [
        form_shown_at(now - TimeDelta::hours(24)),
        form_shown_at(now - TimeDelta::days(400)),
        form_shown_at(now + TimeDelta::hours(2)),
        Uuid::nil(),
        Uuid::max(),
        "01931f3c-7e31-4c3e-9f0a-0123456789ab".parse().unwrap(),
    ] {
        assert!(matches!(form(id), Err(Error::FormTooOld)), "{id}");
    }
}

#[test]
fn idempotency_keys_are_printable_ascii_of_a_bounded_length() {
    let parse = |text: &str| IdempotencyKey::header(Uuid::nil().into(), text, b"");
    for good in ["1", "a \"b\"", "~", &"x".repeat(255)] {
        parse(good).expect("a token");
    }
    for bad in ["", "\u{7f}", "é", "a\0", "a\n", &"x".repeat(256)] {
        match parse(bad) {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, "Idempotency-Key"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_creates_with_one_token_make_exactly_one_key() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let is_sqlite = fixture.sqlite_file().is_some();
        for round in 1..=5 {
            let outcomes = at_once(50, fixture, &scope, |store, scope| {
                let (new, now) = (new_key("raced", &group), fixture.now);
                let idempotency = token(&format!("round-{round}"));
                async move {
                    let keys = store.keys(&scope).idempotent(Some(&idempotency));
                    match keys.create(new, now).await {
                        Err(Error::Repeated { id }) => Ok(Some(keys.get(id.into(), now).await?)),
                        created => created.map(|_| None),
                    }
                }
            })
            .await;
            let mut made = 0;
            for outcome in outcomes {
                match outcome {
                    Ok(None) => made += 1,
                    Ok(Some(repeated)) => assert_eq!(repeated.name.as_str(), "raced"),
                    Err(Error::RequestInFlight) if !is_sqlite => {}
                    Err(error) => panic!("round {round}: {error:?}"),
                }
            }
            assert_eq!(made, 1, "round {round}");
            let usage = fixture.store.keys(&scope).quota().await.unwrap();
            assert_eq!(usage.used, round);
        }
        assert_eq!(events(fixture, &scope, AuditAction::ApiKeyCreated).await, 5);
    })
    .await;
}

#[tokio::test]
async fn a_request_whose_duplicate_is_running_is_refused() {
    let Some(fixture) = TestStore::on_postgres_if_any().await else {
        return;
    };
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &[]).await;
    let holder = fixture.lock_tenants().await;
    let create = async || {
        let new = new_key("ERP", &group);
        let keys = fixture.store.keys(&scope);
        let token = token("create");
        keys.idempotent(Some(&token)).create(new, fixture.now).await
    };
    // One request holds the idempotency key and waits for the tenant's lock; the other is refused at once.
    let (mut one, mut other) = (pin!(create()), pin!(create()));
    let (told, waiting) = tokio::select! {
        told = &mut one => (told, other),
        told = &mut other => (told, one),
    };
    assert!(matches!(told, Err(Error::RequestInFlight)), "{told:?}");
    holder.rollback().await.expect("rolled back");
    let made = waiting.await.unwrap();
    let keys = fixture.store.keys(&scope);
    let again = repeated(&keys, create().await, fixture.now).await;
    assert_eq!(again, made.key);
}
