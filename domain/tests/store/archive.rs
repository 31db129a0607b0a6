//! Revoked keys that are listed no more: as refused as they were, and never anybody's again.

use chrono::TimeDelta;
use domain::{
    Error,
    audit::AuditQuery,
    client_address::ClientAddress,
    id::KeyId,
    key::{IssuedKey, format::Secret, query::KeyQuery, verdict::Refusal},
    store::{
        TenantScope,
        one_time::{Once, OneTime},
    },
    verify::{Owner, Question, Verifier},
};
use sea_orm::SqlErr;
use uuid::Uuid;

use crate::{
    keys::{issue, new_key},
    world::{World, on_every_database},
};

/// Archives until nothing is left to archive.
async fn archive(world: &World, kept: u32, after: TimeDelta) {
    let now = world.now + after;
    while world
        .store
        .archive_revoked_keys(kept, now)
        .await
        .expect("archived")
    {}
}

async fn judge(verifier: &Verifier, world: &World, secret: &Secret) -> Result<(), Refusal> {
    let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
    let verdict = verifier.verify(secret.expose(), client, None, world.now);
    verdict.await.expect("a verdict").map(|_| ())
}

/// Keys that are revoked one after the other, an hour between two.
async fn revoked_keys(world: &World, scope: &TenantScope, number: i32) -> Vec<IssuedKey> {
    let group = world.group(scope, "Ordering", &["orders:read"]).await;
    let mut keys = Vec::new();
    for hour in 0..number {
        let issued = issue(world, scope, &group, &format!("key {hour}")).await;
        let at = world.now + TimeDelta::hours(hour.into());
        let revoked = world.store.keys(scope).revoke(issued.key.id, at).await;
        revoked.expect("revoked");
        keys.push(issued);
    }
    keys
}

async fn names(world: &World, scope: &TenantScope, q: &str) -> Vec<String> {
    let query = KeyQuery {
        q: q.to_owned(),
        ..KeyQuery::default()
    };
    let keys = world.store.keys(scope);
    let listed = keys.list_with_summary(&query, world.now).await;
    let (page, summary) = listed.expect("a page");
    assert_eq!(summary.matching, page.items.len() as u64);
    let mut names: Vec<_> = page
        .items
        .into_iter()
        .map(|key| key.name.to_string())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_keys_that_were_revoked_last_are_listed_and_older_ones_stay_refused() {
    on_every_database(async |world| {
        let scope = world.tenant("acme").await;
        let globex = world.tenant("globex").await;
        let keys = revoked_keys(world, &scope, 5).await;
        let group = world.group(&scope, "Shops", &[]).await;
        let active = issue(world, &scope, &group, "active").await;
        let of_globex = revoked_keys(world, &globex, 2).await;
        let verifier = Verifier::new(world.store.clone());
        // One of them is in memory when it goes.
        let revoked = Err(Refusal::RevokedApiKey);
        assert_eq!(judge(&verifier, world, &keys[0].secret).await, revoked);

        archive(world, 2, TimeDelta::hours(9)).await;

        assert_eq!(names(world, &scope, "").await, ["active", "key 3", "key 4"]);
        assert_eq!(names(world, &scope, "key").await, ["key 3", "key 4"]);
        assert_eq!(names(world, &globex, "").await, ["key 0", "key 1"]);
        let anew = Verifier::new(world.store.clone());
        for issued in keys.iter().chain(&of_globex) {
            assert_eq!(judge(&verifier, world, &issued.secret).await, revoked);
            assert_eq!(judge(&anew, world, &issued.secret).await, revoked);
        }
        assert_eq!(judge(&verifier, world, &active.secret).await, Ok(()));

        // For who asks on behalf of another tenant the key does not exist, as before.
        for (tenant, expected) in [
            (scope.tenant().id, Refusal::RevokedApiKey),
            (globex.tenant().id, Refusal::InvalidApiKey),
        ] {
            let question = Question {
                owner: Owner::Asking(tenant),
                ..Question::default()
            };
            let client = ClientAddress::Unknown;
            let presented = Ok(keys[0].secret.expose());
            let verdict = verifier.answer(question, presented, client, world.now);
            assert_eq!(verdict.await.unwrap().map(|_| ()), Err(expected));
        }

        let archived = keys[0].key.id;
        let of_acme = world.store.keys(&scope);
        let gone = of_acme.get(archived, world.now).await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
        let query = AuditQuery {
            key_id: Some(archived),
            ..AuditQuery::default()
        };
        let events = world.store.audit(&scope).list(&query).await.unwrap();
        assert_eq!(events.items.len(), 2, "made and revoked");
        assert_eq!(of_acme.usage().await.unwrap().used, 1);

        // Nothing more is done where nothing more is to be done.
        let again = world.store.archive_revoked_keys(2, world.now).await;
        assert!(!again.unwrap());
    })
    .await;
}

#[tokio::test]
async fn no_key_gets_the_secret_of_an_archived_one() {
    on_every_database(async |world| {
        let scope = world.tenant("acme").await;
        let archived = revoked_keys(world, &scope, 1).await;
        archive(world, 0, TimeDelta::zero()).await;
        let group = world.group(&scope, "Shops", &[]).await;
        let other = issue(world, &scope, &group, "other").await;
        let take_over = "UPDATE api_keys SET secret_digest = (SELECT secret_digest FROM archived_api_keys)";
        let refused = world.execute(take_over, []).await.expect_err("refused");
        let copy = "INSERT INTO api_keys (id, tenant_id, group_id, group_name_lower, name, name_lower, description, \
             description_lower, hint, secret_digest, ip_allowlist, created_by_kind, created_by_name, created_at, \
             updated_at, version) SELECT archived.id, archived.tenant_id, authorization_groups.id, 'x', 'xx', 'xx', '', '', \
             'lk_…', archived.secret_digest, '', 'cli', 'latchkey', archived.created_at, archived.created_at, 1 \
             FROM archived_api_keys AS archived, authorization_groups WHERE authorization_groups.name = 'Shops'";
        let inserted = world.execute(copy, []).await.expect_err("refused");
        for refused in [refused, inserted] {
            let kind = refused.sql_err();
            assert!(
                matches!(kind, Some(SqlErr::UniqueConstraintViolation(_))) || refused.to_string().contains("UNIQUE"),
                "{refused}"
            );
        }
        let verifier = Verifier::new(world.store.clone());
        assert_eq!(judge(&verifier, world, &other.secret).await, Ok(()));
        let revoked = Err(Refusal::RevokedApiKey);
        assert_eq!(judge(&verifier, world, &archived[0].secret).await, revoked);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_a_repeat_may_ask_for_stays_for_a_day() {
    on_every_database(async |world| {
        let scope = world.tenant("acme").await;
        let group = world.group(&scope, "Ordering", &[]).await;
        let keys = world.store.keys(&scope);
        let asks = KeyId::from(Uuid::nil());
        let token = OneTime::idempotency_key(asks, "create", b"content").unwrap();
        let made = keys.create_once(new_key("once", &group), &token, world.now);
        let Once::Done(made) = made.await.unwrap() else {
            panic!("no repeat");
        };
        keys.revoke(made.key.id, world.now).await.unwrap();

        archive(world, 0, TimeDelta::hours(23)).await;
        assert_eq!(names(world, &scope, "").await, ["once"]);
        let again = keys.create_once(new_key("once", &group), &token, world.now);
        assert!(matches!(again.await.unwrap(), Once::Repeated { .. }));

        archive(world, 0, TimeDelta::hours(25)).await;
        assert_eq!(names(world, &scope, "").await, Vec::<String>::new());
        let verifier = Verifier::new(world.store.clone());
        let revoked = Err(Refusal::RevokedApiKey);
        assert_eq!(judge(&verifier, world, &made.secret).await, revoked);
    })
    .await;
}
