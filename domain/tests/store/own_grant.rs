//! Changes made by a key are checked against its own stored grant within the transaction of the change.

use domain::{
    Error,
    client_address::ClientAddress,
    key::{
        IssuedKey, KeyChanges, RotatedExpiry,
        format::Secret,
        verdict::{AllowlistOf, Refusal},
    },
    permission::Permission,
    store::TenantScope,
    verify::Verifier,
};

use crate::{
    keys::{ParseAllowlist, in_days, issue, new_key},
    test_store::{TestStore, on_every_database, permission_set},
};

fn write() -> Permission {
    "api-keys:write".parse().expect("a permission")
}

/// The scope of a request with this key to a route that requires `api-keys:write`.
async fn scope_of(fixture: &TestStore, secret: &Secret) -> TenantScope {
    let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
    Verifier::new(fixture.store.clone())
        .verify(secret.expose(), client, Some(&write()), fixture.now)
        .await
        .expect("a result")
        .expect("a good key")
        .scope()
}

#[tokio::test]
async fn p28_a_key_creates_edits_and_rotates_within_its_own_grant() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let own_group = fixture
            .group(&scope, "Own", &["api-keys:write", "orders:read"])
            .await;
        let less = fixture.group(&scope, "Less", &["orders:read"]).await;
        let more = fixture.group(&scope, "More", &["orders:write"]).await;
        let mut new = new_key("Own", &own_group);
        new.expires_on = Some(in_days(fixture, 10));
        new.allowlist = "192.0.2.0/24".parse_allowlist();
        let keys = fixture.store.keys(&scope);
        let own = keys.create(new.clone(), fixture.now).await.unwrap();
        let acting = scope_of(fixture, &own.secret).await;
        let by_key = fixture.store.keys(&acting);

        let mut within = new.clone();
        within.group_id = less.id;
        let made = by_key.create(within.clone(), fixture.now).await.unwrap();
        assert_eq!(made.key.created_by.id, Some(own.key.id.as_uuid()));
        let mut beyond = within.clone();
        beyond.group_id = more.id;
        let refused = by_key.create(beyond.clone(), fixture.now).await;
        assert!(matches!(refused, Err(Error::ExceedsOwnGrant)));

        let target = made.key.id;
        let regroup = |group_id| KeyChanges {
            group_id: Some(group_id),
            ..KeyChanges::default()
        };
        let refused = by_key
            .update(target, regroup(more.id), None, fixture.now)
            .await;
        assert!(matches!(refused, Err(Error::ExceedsOwnGrant)));
        by_key
            .update(target, regroup(own_group.id), None, fixture.now)
            .await
            .unwrap();
        let never = RotatedExpiry::Set(None);
        let refused = by_key.rotate(target, never, fixture.now).await;
        assert!(matches!(refused, Err(Error::ExceedsOwnGrant)));
        by_key
            .rotate(target, RotatedExpiry::Keep, fixture.now)
            .await
            .unwrap();
        let itself = by_key
            .rotate(own.key.id, RotatedExpiry::Keep, fixture.now)
            .await;
        assert!(matches!(itself, Err(Error::ExceedsOwnGrant)));
        // These limits do not apply to a user.
        keys.create(beyond, fixture.now).await.unwrap();

        let rotated = by_key.rotate_self(fixture.now).await.unwrap();
        assert_eq!(rotated.value.key.id, own.key.id);
        assert_eq!(rotated.value.key.expires_on, own.key.expires_on);
        let refused = keys.rotate_self(fixture.now).await;
        assert!(matches!(refused, Err(Error::Forbidden)));
    })
    .await;
}

#[tokio::test]
async fn p39_an_acting_key_that_became_invalid_after_the_route_guard_changes_nothing() {
    /// A change between the route guard's check and the transaction.
    #[derive(Clone, Copy, Debug)]
    enum Meanwhile {
        Revoked,
        PermissionTaken,
        AllowlistSet,
        TenantSuspended,
        Expired,
    }
    on_every_database(async |fixture| {
        let cli = fixture.store.as_cli();
        for (slug, meanwhile) in [
            ("a", Meanwhile::Revoked),
            ("b", Meanwhile::PermissionTaken),
            ("c", Meanwhile::AllowlistSet),
            ("d", Meanwhile::TenantSuspended),
            ("e", Meanwhile::Expired),
        ] {
            let scope = fixture.tenant(slug).await;
            let group = fixture
                .group(&scope, "Own", &["api-keys:write", "orders:read"])
                .await;
            let keys = fixture.store.keys(&scope);
            let mut new = new_key("Own", &group);
            new.expires_on = Some(in_days(fixture, 1));
            let own = keys.create(new.clone(), fixture.now).await.unwrap();
            let target = keys.create(new.clone(), fixture.now).await.unwrap().key.id;
            let acting = scope_of(fixture, &own.secret).await;
            let mut now = fixture.now;
            let expected = match meanwhile {
                Meanwhile::Revoked => {
                    keys.revoke(own.key.id, now).await.unwrap();
                    Refusal::RevokedApiKey
                }
                Meanwhile::PermissionTaken => {
                    let left = permission_set(&["orders:read"]);
                    let groups = fixture.store.groups(&scope);
                    groups.set_permissions("Own", left, now).await.unwrap();
                    Refusal::MissingPermission(write())
                }
                Meanwhile::AllowlistSet => {
                    let elsewhere = KeyChanges {
                        allowlist: Some("198.51.100.0/24".parse_allowlist()),
                        ..KeyChanges::default()
                    };
                    keys.update(own.key.id, elsewhere, None, now).await.unwrap();
                    Refusal::IpNotAllowed(AllowlistOf::Key)
                }
                Meanwhile::TenantSuspended => {
                    fixture
                        .store
                        .tenants(&cli)
                        .suspend(slug, now)
                        .await
                        .unwrap();
                    Refusal::TenantSuspended
                }
                Meanwhile::Expired => {
                    now = in_days(fixture, 1).ends_at();
                    Refusal::ExpiredApiKey
                }
            };
            let events = fixture.store.audit(&scope).newest(100).await.unwrap();
            let by_key = fixture.store.keys(&acting);
            new.expires_on = Some(in_days(fixture, 3));
            for refused in [
                by_key.create(new.clone(), now).await.err(),
                by_key
                    .update(target, KeyChanges::default(), None, now)
                    .await
                    .err(),
                by_key.rotate(target, RotatedExpiry::Keep, now).await.err(),
                by_key.revoke(target, now).await.err(),
                by_key.rotate_self(now).await.err(),
            ] {
                match refused {
                    // Every change fails on the state of the acting key.
                    Some(Error::ActorRefused(refusal)) => assert_eq!(refusal, expected),
                    other => panic!("{meanwhile:?}: {other:?}"),
                }
            }
            let after = fixture.store.audit(&scope).newest(100).await.unwrap();
            assert_eq!(after, events, "{meanwhile:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn p39_an_acting_key_does_not_find_keys_of_another_tenant() {
    on_every_database(async |fixture| {
        let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
        let group = fixture.group(&acme, "Own", &["api-keys:write"]).await;
        let theirs = fixture.group(&globex, "Theirs", &[]).await;
        let own = issue(fixture, &acme, &group, "Own").await;
        let IssuedKey { key, .. } = issue(fixture, &globex, &theirs, "Theirs").await;
        let acting = scope_of(fixture, &own.secret).await;
        let by_key = fixture.store.keys(&acting);
        for refused in [
            by_key
                .update(key.id, KeyChanges::default(), None, fixture.now)
                .await
                .err(),
            by_key
                .rotate(key.id, RotatedExpiry::Keep, fixture.now)
                .await
                .err(),
            by_key.revoke(key.id, fixture.now).await.err(),
        ] {
            assert!(matches!(refused, Some(Error::NotFound(_))), "{refused:?}");
        }
    })
    .await;
}
