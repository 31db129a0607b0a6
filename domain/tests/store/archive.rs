//! Archived keys: no longer listed, still refused, and their secrets never issued again.

use chrono::TimeDelta;
use domain::{
    Error,
    audit::AuditQuery,
    client_address::ClientAddress,
    id::KeyId,
    key::{IssuedKey, format::Secret, query::KeyQuery, verdict::Refusal},
    store::{TenantScope, idempotency::IdempotencyKey},
    verify::{Owner, Question, Verifier},
};
use sea_orm::SqlErr;
use uuid::Uuid;

use crate::{
    keys::{issue, new_key},
    test_store::{TestStore, on_every_database},
};

/// Archives keys until none is left to archive.
async fn archive(fixture: &TestStore, kept: u32, after: TimeDelta) {
    let now = fixture.now + after;
    while fixture
        .store
        .archive_revoked_keys(kept, now)
        .await
        .expect("archived")
    {}
}

async fn judge(verifier: &Verifier, fixture: &TestStore, secret: &Secret) -> Result<(), Refusal> {
    let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
    let verdict = verifier.verify(secret.expose(), client, None, fixture.now);
    verdict.await.expect("a verdict").map(|_| ())
}

/// Creates `number` keys and revokes them one hour apart.
async fn revoked_keys(fixture: &TestStore, scope: &TenantScope, number: i32) -> Vec<IssuedKey> {
    let group = fixture.group(scope, "Ordering", &["orders:read"]).await;
    let mut keys = Vec::new();
    for hour in 0..number {
        let issued = issue(fixture, scope, &group, &format!("key {hour}")).await;
        let at = fixture.now + TimeDelta::hours(hour.into());
        let revoked = fixture.store.keys(scope).revoke(issued.key.id, at).await;
        revoked.expect("revoked");
        keys.push(issued);
    }
    keys
}

async fn names(fixture: &TestStore, scope: &TenantScope, q: &str) -> Vec<String> {
    let query = KeyQuery {
        q: q.to_owned(),
        ..KeyQuery::default()
    };
    let keys = fixture.store.keys(scope);
    let listed = keys.list_with_summary(&query, fixture.now).await;
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
async fn the_last_revoked_keys_stay_listed_and_archived_ones_stay_refused() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let keys = revoked_keys(fixture, &scope, 5).await;
        let group = fixture.group(&scope, "Shops", &[]).await;
        let active = issue(fixture, &scope, &group, "active").await;
        let of_globex = revoked_keys(fixture, &globex, 2).await;
        let verifier = Verifier::new(fixture.store.clone());
        // One of the keys is cached when it is archived.
        let revoked = Err(Refusal::RevokedApiKey);
        assert_eq!(judge(&verifier, fixture, &keys[0].secret).await, revoked);

        archive(fixture, 2, TimeDelta::hours(9)).await;

        assert_eq!(
            names(fixture, &scope, "").await,
            ["active", "key 3", "key 4"]
        );
        assert_eq!(names(fixture, &scope, "key").await, ["key 3", "key 4"]);
        assert_eq!(names(fixture, &globex, "").await, ["key 0", "key 1"]);
        let anew = Verifier::new(fixture.store.clone());
        for issued in keys.iter().chain(&of_globex) {
            assert_eq!(judge(&verifier, fixture, &issued.secret).await, revoked);
            assert_eq!(judge(&anew, fixture, &issued.secret).await, revoked);
        }
        assert_eq!(judge(&verifier, fixture, &active.secret).await, Ok(()));

        // A caller of another tenant still gets `InvalidApiKey`.
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
            let verdict = verifier.answer(question, presented, client, fixture.now);
            assert_eq!(verdict.await.unwrap().map(|_| ()), Err(expected));
        }

        let archived = keys[0].key.id;
        let of_acme = fixture.store.keys(&scope);
        let gone = of_acme.get(archived, fixture.now).await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
        let query = AuditQuery {
            keys: Some(vec![archived]),
            ..AuditQuery::default()
        };
        let events = fixture.store.audit(&scope).list(&query).await.unwrap();
        assert_eq!(events.items.len(), 2, "created and revoked");
        assert_eq!(of_acme.quota().await.unwrap().used, 1);

        // A second run archives nothing.
        let again = fixture.store.archive_revoked_keys(2, fixture.now).await;
        assert!(!again.unwrap());
    })
    .await;
}

#[tokio::test]
async fn no_key_reuses_the_secret_of_an_archived_key() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let archived = revoked_keys(fixture, &scope, 1).await;
        archive(fixture, 0, TimeDelta::zero()).await;
        let group = fixture.group(&scope, "Shops", &[]).await;
        let other = issue(fixture, &scope, &group, "other").await;
        let take_over = "UPDATE api_keys SET secret_digest = (SELECT secret_digest FROM archived_api_keys)";
        let refused = fixture.execute(take_over, []).await.expect_err("refused");
        let copy = "INSERT INTO api_keys (id, tenant_id, group_id, group_name_lower, name, name_lower, description, \
             description_lower, hint, secret_digest, ip_allowlist, created_by_kind, created_by_name, created_at, \
             updated_at, version) SELECT archived.id, archived.tenant_id, authorization_groups.id, 'x', 'xx', 'xx', '', '', \
             'lk_…', archived.secret_digest, '', 'cli', 'latchkey', archived.created_at, archived.created_at, 1 \
             FROM archived_api_keys AS archived, authorization_groups WHERE authorization_groups.name = 'Shops'";
        let inserted = fixture.execute(copy, []).await.expect_err("refused");
        for refused in [refused, inserted] {
            let kind = refused.sql_err();
            assert!(
                matches!(kind, Some(SqlErr::UniqueConstraintViolation(_))) || refused.to_string().contains("UNIQUE"),
                "{refused}"
            );
        }
        let verifier = Verifier::new(fixture.store.clone());
        assert_eq!(judge(&verifier, fixture, &other.secret).await, Ok(()));
        let revoked = Err(Refusal::RevokedApiKey);
        assert_eq!(judge(&verifier, fixture, &archived[0].secret).await, revoked);
    })
    .await;
}

#[tokio::test]
async fn a_key_of_an_idempotent_request_is_not_archived_for_a_day() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let asks = KeyId::from(Uuid::nil());
        let token = IdempotencyKey::header(asks, "create", b"content").unwrap();
        let creating = keys.idempotent(Some(&token));
        let made = creating.create(new_key("once", &group), fixture.now);
        let made = made.await.unwrap();
        keys.revoke(made.key.id, fixture.now).await.unwrap();

        archive(fixture, 0, TimeDelta::hours(23)).await;
        assert_eq!(names(fixture, &scope, "").await, ["once"]);
        let again = creating.create(new_key("once", &group), fixture.now);
        assert!(matches!(again.await, Err(Error::Repeated { .. })));

        archive(fixture, 0, TimeDelta::hours(25)).await;
        assert_eq!(names(fixture, &scope, "").await, Vec::<String>::new());
        let verifier = Verifier::new(fixture.store.clone());
        let revoked = Err(Refusal::RevokedApiKey);
        assert_eq!(judge(&verifier, fixture, &made.secret).await, revoked);
    })
    .await;
}
