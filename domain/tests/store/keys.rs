//! Creating, rotating and revoking keys: scoped to the tenant, audited, within the key limit.

use chrono::{Days, TimeDelta};
use domain::{
    Error,
    actor::ActorKind,
    audit::AuditAction,
    group::{AuthorizationGroup, GroupType},
    key::{IssuedKey, KeyStatus, NewKey, RotatedExpiry, expiry::ExpirationDate, query::KeyQuery},
    store::{TenantScope, groups::NewGroup},
};
use serde_json::json;
use std::fs;

use crate::test_store::{TestStore, on_every_database, permission_set};

/// A new key in `group` without description, expiration date and allowlist.
pub(crate) fn new_key(name: &str, group: &AuthorizationGroup) -> NewKey {
    NewKey {
        name: name.parse().expect("a name"),
        description: "".parse().expect("a description"),
        group_id: group.id,
        expires_on: None,
        allowlist: "".parse_allowlist(),
    }
}

/// Parses an allowlist literal.
pub(crate) trait ParseAllowlist {
    fn parse_allowlist(&self) -> domain::key::allowlist::Allowlist;
}

impl ParseAllowlist for str {
    fn parse_allowlist(&self) -> domain::key::allowlist::Allowlist {
        domain::key::allowlist::Allowlist::parse_lines(self).expect("an allowlist")
    }
}

/// The date `days` after the fixture's current date.
pub(crate) fn in_days(fixture: &TestStore, days: i64) -> ExpirationDate {
    (fixture.now + TimeDelta::days(days)).date_naive().into()
}

/// Creates a key.
pub(crate) async fn issue(
    fixture: &TestStore,
    scope: &TenantScope,
    group: &AuthorizationGroup,
    name: &str,
) -> IssuedKey {
    fixture
        .store
        .keys(scope)
        .create(new_key(name, group), fixture.now)
        .await
        .expect("a key")
}

async fn actions(fixture: &TestStore, scope: &TenantScope) -> Vec<AuditAction> {
    let events = fixture
        .store
        .audit(scope)
        .newest(200)
        .await
        .expect("a result");
    events.into_iter().map(|event| event.action).collect()
}

#[tokio::test]
async fn a_new_key_is_stored_as_requested_and_audited() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let mut new = new_key("ERP sync", &group);
        new.description = "Nightly".parse().unwrap();
        new.expires_on = Some(in_days(fixture, 1));
        new.allowlist = "10.1.2.3/8\n2001:DB8::/32".parse_allowlist();
        let keys = fixture.store.keys(&scope);
        let IssuedKey { key, secret } = keys.create(new, fixture.now).await.unwrap();

        assert_eq!(keys.get(key.id, fixture.now).await.unwrap(), key);
        assert_eq!(key.name.as_str(), "ERP sync");
        assert_eq!(key.hint, secret.hint());
        assert_eq!(key.status, KeyStatus::Active);
        assert_eq!(key.authorization_group.name, "Ordering");
        assert_eq!(key.ip_allowlist.to_lines(), "10.0.0.0/8\n2001:db8::/32");
        assert_eq!(key.created_by.kind, ActorKind::Cli);
        assert_eq!((key.created_at, key.updated_at), (fixture.now, fixture.now));
        assert_eq!((key.rotated_at, key.revoked_at), (None, None));
        assert_eq!(key.version, 1);

        let event = fixture.store.audit(&scope).newest(1).await.unwrap().remove(0);
        assert_eq!(event.action, AuditAction::ApiKeyCreated);
        assert_eq!(event.target.kind, "api_key");
        assert_eq!(event.target.id, Some(key.id.as_uuid()));
        assert_eq!(event.target.name, "ERP sync");
        assert_eq!(
            event.changes,
            json!({
                "name": { "before": null, "after": "ERP sync" },
                "description": { "before": null, "after": "Nightly" },
                "authorization_group": { "before": null, "after": { "id": group.id, "name": "Ordering" } },
                "expires_on": { "before": null, "after": "2026-03-03" },
                "ip_allowlist": { "before": null, "after": ["10.0.0.0/8", "2001:db8::/32"] },
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_foreign_or_wrong_group_and_a_date_not_in_the_future_are_refused() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let own = fixture.group(&acme, "Ordering", &[]).await;
        let foreign = fixture.group(&globex, "Ordering", &[]).await;
        let for_people = fixture
            .store
            .groups(&acme)
            .create(
                NewGroup {
                    name: "People".to_owned(),
                    kind: GroupType::User,
                    permissions: permission_set(&[]),
                },
                fixture.now,
            )
            .await
            .unwrap();
        let keys = fixture.store.keys(&acme);
        let fields = async |new: NewKey| match keys.create(new, fixture.now).await {
            Err(Error::Invalid(errors)) => errors
                .into_iter()
                .map(|error| format!("{}: {}", error.field, error.message))
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        const GROUP: &str = "authorization_group_id: Choose an authorization group";
        const DATE: &str = "expires_on: Must be a future date";
        for group in [&foreign, &for_people] {
            assert_eq!(fields(new_key("ERP", group)).await, [GROUP]);
        }
        for days in [0, -1, -400] {
            let mut late = new_key("ERP", &own);
            late.expires_on = Some(in_days(fixture, days));
            assert_eq!(fields(late.clone()).await, [DATE], "{days}");
            late.group_id = foreign.id;
            assert_eq!(fields(late).await, [GROUP, DATE]);
        }
        assert_eq!(keys.quota().await.unwrap().used, 0);
    })
    .await;
}

#[tokio::test]
async fn p26_a_key_of_another_tenant_is_not_found() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let of_acme = fixture.group(&acme, "Ordering", &[]).await;
        let of_globex = fixture.group(&globex, "Ordering", &[]).await;
        let own = issue(fixture, &acme, &of_acme, "Acme's").await.key;
        let mut foreign = new_key("Globex's", &of_globex);
        foreign.expires_on = Some(in_days(fixture, 3));
        let foreign = fixture
            .store
            .keys(&globex)
            .create(foreign, fixture.now)
            .await
            .unwrap()
            .key;

        let keys = fixture.store.keys(&acme);
        let keep = RotatedExpiry::Keep;
        for refused in [
            keys.get(foreign.id, fixture.now).await.err(),
            keys.rotate(foreign.id, keep, fixture.now).await.err(),
            keys.revoke(foreign.id, fixture.now).await.err(),
        ] {
            assert!(
                matches!(refused, Some(Error::NotFound("API key"))),
                "{refused:?}"
            );
        }
        let page = keys.list(&KeyQuery::default(), fixture.now).await.unwrap();
        assert_eq!(page.items, [own]);
        assert_eq!(keys.quota().await.unwrap().used, 1);
        let query = KeyQuery::default();
        let of_acme = keys.summary(&query, fixture.now).await.unwrap();
        assert_eq!((of_acme.total, of_acme.expiring_soon), (1, 0));
        let untouched = fixture.store.keys(&globex);
        assert_eq!(
            untouched.get(foreign.id, fixture.now).await.unwrap(),
            foreign
        );
        let of_globex = untouched.summary(&query, fixture.now).await.unwrap();
        assert_eq!((of_globex.total, of_globex.expiring_soon), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn p31_the_database_stores_the_digest_and_never_the_secret() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &[]).await;
    let first = issue(&fixture, &scope, &group, "A name to find").await;
    let second = fixture
        .store
        .keys(&scope)
        .rotate(first.key.id, RotatedExpiry::Keep, fixture.now)
        .await
        .unwrap();
    let file = fixture.sqlite_file().unwrap();
    let log = file.with_extension("db-wal");
    let at_rest = [fs::read(&file).unwrap(), fs::read(log).unwrap()].concat();
    let holds = |text: &str| {
        at_rest
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    // The byte search works: it finds the name and the hint.
    assert!(holds("A name to find"));
    assert!(holds(&second.value.key.hint));
    for secret in [first.secret, second.value.secret] {
        assert!(!holds(secret.expose()));
        assert!(!holds(&secret.expose()[3..19]), "half of the secret");
    }
}

#[tokio::test]
async fn p33_the_limit_counts_every_key_that_is_not_revoked() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let mut expiring = new_key("expires", &group);
        expiring.expires_on = Some(in_days(fixture, 1));
        let first = keys.create(expiring, fixture.now).await.unwrap().key;
        // The first key is expired from this time on, and still counts.
        let later = fixture.now + Days::new(5);
        for number in 2..=10 {
            let new = new_key(&format!("key {number}"), &group);
            keys.create(new, later).await.unwrap();
        }
        let refused = || async { keys.create(new_key("one more", &group), later).await };
        assert!(matches!(
            refused().await,
            Err(Error::KeyLimitReached { limit: 10 })
        ));

        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        tenants.set_limit("acme", 3, later).await.unwrap();
        let usage = keys.quota().await.unwrap();
        assert_eq!((usage.used, usage.limit), (10, 3));
        let all = keys.list(&KeyQuery::default(), later).await.unwrap();
        assert_eq!(all.items.len(), 10);
        assert!(matches!(
            refused().await,
            Err(Error::KeyLimitReached { limit: 3 })
        ));

        tenants.set_limit("acme", 10, later).await.unwrap();
        keys.revoke(first.id, later).await.unwrap();
        refused().await.expect("a place that was freed");
        assert!(matches!(
            refused().await,
            Err(Error::KeyLimitReached { .. })
        ));
    })
    .await;
}

#[tokio::test]
async fn p34_rotation_changes_the_secret_and_nothing_else() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let mut new = new_key("ERP", &group);
        new.allowlist = "10.0.0.0/8".parse_allowlist();
        let keys = fixture.store.keys(&scope);
        let old = keys.create(new, fixture.now).await.unwrap();
        let later = fixture.now + TimeDelta::hours(1);
        let rotated = keys
            .rotate(old.key.id, RotatedExpiry::Keep, later)
            .await
            .unwrap();
        assert_ne!(rotated.value.secret, old.secret);
        let mut expected = old.key.clone();
        expected.hint = rotated.value.secret.hint();
        expected.rotated_at = Some(later);
        expected.updated_at = later;
        expected.version = 2;
        assert_eq!(rotated.value.key, expected);
        assert_eq!(keys.get(old.key.id, later).await.unwrap(), expected);

        let event = fixture
            .store
            .audit(&scope)
            .newest(1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(event.action, AuditAction::ApiKeyRotated);
        assert_eq!(
            event.changes,
            json!({ "hint": { "before": old.key.hint, "after": expected.hint } })
        );
    })
    .await;
}

#[tokio::test]
async fn rotation_accepts_the_current_date_a_future_date_or_none() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let mut new = new_key("ERP", &group);
        let current = in_days(fixture, 1);
        new.expires_on = Some(current);
        let id = keys.create(new, fixture.now).await.unwrap().key.id;
        let expired = fixture.now + Days::new(9);
        let rotate = async |expiry| {
            let issued = keys.rotate(id, expiry, expired).await?;
            Ok::<_, Error>(issued.value.key.expires_on)
        };
        let refused_days = [
            in_days(fixture, 9),
            in_days(fixture, 8),
            in_days(fixture, 2),
        ];
        for day in refused_days {
            match rotate(RotatedExpiry::Set(Some(day))).await {
                Err(Error::Invalid(errors)) => {
                    assert_eq!(errors[0].field, "expires_on");
                    assert_eq!(errors[0].message, "Must be a future date");
                }
                other => panic!("{day}: {other:?}"),
            }
        }
        assert_eq!(keys.get(id, expired).await.unwrap().version, 1);
        let same = RotatedExpiry::Set(Some(current));
        assert_eq!(rotate(RotatedExpiry::Keep).await.unwrap(), Some(current));
        assert_eq!(rotate(same).await.unwrap(), Some(current));
        let future = Some(in_days(fixture, 10));
        assert_eq!(rotate(RotatedExpiry::Set(future)).await.unwrap(), future);
        let event = fixture
            .store
            .audit(&scope)
            .newest(1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            event.changes["expires_on"],
            json!({ "before": "2026-03-03", "after": "2026-03-12" })
        );
        assert_eq!(rotate(RotatedExpiry::Set(None)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn p34_revoking_is_permanent_and_idempotent() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let id = issue(fixture, &scope, &group, "ERP").await.key.id;
        let later = fixture.now + TimeDelta::hours(1);
        let revoked = keys.revoke(id, later).await.unwrap().value;
        assert_eq!(revoked.status, KeyStatus::Revoked);
        assert_eq!(revoked.revoked_at, Some(later));
        assert_eq!((revoked.updated_at, revoked.version), (later, 2));

        let once_more = keys.revoke(id, later + TimeDelta::hours(1)).await.unwrap();
        assert_eq!(once_more.value, revoked);
        let refused = keys.rotate(id, RotatedExpiry::Keep, later).await;
        assert!(matches!(refused, Err(Error::KeyRevoked)));
        assert_eq!(keys.get(id, later).await.unwrap(), revoked);
        use AuditAction::{ApiKeyCreated, ApiKeyRevoked, GroupCreated, TenantCreated};
        let expected = [ApiKeyRevoked, ApiKeyCreated, GroupCreated, TenantCreated];
        assert_eq!(actions(fixture, &scope).await, expected);
    })
    .await;
}

#[tokio::test]
async fn p57_a_name_may_have_two_hundred_emoji() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let name = "🔑".repeat(200);
        let id = issue(fixture, &scope, &group, &name).await.key.id;
        let read = fixture
            .store
            .keys(&scope)
            .get(id, fixture.now)
            .await
            .unwrap();
        assert_eq!(read.name.as_str(), name);
        let event = fixture
            .store
            .audit(&scope)
            .newest(1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(event.target.name, name);
    })
    .await;
}
