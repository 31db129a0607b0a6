//! What a key may do to others is judged in the transaction of the change, by what is stored then.

use domain::{
    Error,
    client_address::ClientAddress,
    key::{IssuedKey, KeyChanges, RotatedExpiry, format::Secret, verdict::Refusal},
    permission::Permission,
    store::TenantScope,
    verify::Verifier,
};

use crate::{
    keys::{ParseAllowlist, in_days, issue, new_key},
    world::{World, on_every_database, permission_set},
};

fn write() -> Permission {
    "api-keys:write".parse().expect("a permission")
}

/// The scope of a request with that key to a route that asks for `api-keys:write`.
async fn scope_of(world: &World, secret: &Secret) -> TenantScope {
    let client = ClientAddress::known("192.0.2.7".parse().expect("an address"));
    Verifier::new(world.store.clone())
        .verify(secret.expose(), client, Some(&write()), world.now)
        .await
        .expect("an answer")
        .expect("a good key")
        .scope()
}

#[tokio::test]
async fn p28_a_key_makes_edits_and_rotates_within_its_own_grant() {
    on_every_database(async |world| {
        let scope = world.tenant("acme").await;
        let own_group = world
            .group(&scope, "Own", &["api-keys:write", "orders:read"])
            .await;
        let less = world.group(&scope, "Less", &["orders:read"]).await;
        let more = world.group(&scope, "More", &["orders:write"]).await;
        let mut new = new_key("Own", &own_group);
        new.expires_on = Some(in_days(world, 10));
        new.allowlist = "192.0.2.0/24".parse_allowlist();
        let keys = world.store.keys(&scope);
        let own = keys.create(new.clone(), world.now).await.unwrap();
        let acting = scope_of(world, &own.secret).await;
        let by_key = world.store.keys(&acting);

        let mut within = new.clone();
        within.group_id = less.id;
        let made = by_key.create(within.clone(), world.now).await.unwrap();
        assert_eq!(made.key.created_by.id, Some(own.key.id.as_uuid()));
        let mut beyond = within.clone();
        beyond.group_id = more.id;
        let refused = by_key.create(beyond.clone(), world.now).await;
        assert!(matches!(refused, Err(Error::ExceedsOwnGrant)));

        let target = made.key.id;
        let regroup = |group_id| KeyChanges {
            group_id: Some(group_id),
            ..KeyChanges::default()
        };
        let refused = by_key
            .update(target, regroup(more.id), None, world.now)
            .await;
        assert!(matches!(refused, Err(Error::ExceedsOwnGrant)));
        by_key
            .update(target, regroup(own_group.id), None, world.now)
            .await
            .unwrap();
        let never = RotatedExpiry::Set(None);
        let refused = by_key.rotate(target, never, world.now).await;
        assert!(matches!(refused, Err(Error::ExceedsOwnGrant)));
        by_key
            .rotate(target, RotatedExpiry::Keep, world.now)
            .await
            .unwrap();
        let itself = by_key
            .rotate(own.key.id, RotatedExpiry::Keep, world.now)
            .await;
        assert!(matches!(itself, Err(Error::ExceedsOwnGrant)));
        // A person is limited by none of this.
        keys.create(beyond, world.now).await.unwrap();

        let rotated = by_key.rotate_self(world.now).await.unwrap();
        assert_eq!(rotated.key.id, own.key.id);
        assert_eq!(rotated.key.expires_on, own.key.expires_on);
        let refused = keys.rotate_self(world.now).await;
        assert!(matches!(refused, Err(Error::Forbidden)));
    })
    .await;
}

#[tokio::test]
async fn p39_who_was_good_at_the_door_and_is_no_longer_changes_nothing() {
    /// What happens between the door and the transaction.
    #[derive(Clone, Copy, Debug)]
    enum Meanwhile {
        Revoked,
        PermissionTaken,
        AllowlistSet,
        TenantSuspended,
        Expired,
    }
    on_every_database(async |world| {
        let cli = world.store.as_cli();
        for (slug, meanwhile) in [
            ("a", Meanwhile::Revoked),
            ("b", Meanwhile::PermissionTaken),
            ("c", Meanwhile::AllowlistSet),
            ("d", Meanwhile::TenantSuspended),
            ("e", Meanwhile::Expired),
        ] {
            let scope = world.tenant(slug).await;
            let group = world
                .group(&scope, "Own", &["api-keys:write", "orders:read"])
                .await;
            let keys = world.store.keys(&scope);
            let mut new = new_key("Own", &group);
            new.expires_on = Some(in_days(world, 1));
            let own = keys.create(new.clone(), world.now).await.unwrap();
            let target = keys.create(new.clone(), world.now).await.unwrap().key.id;
            let acting = scope_of(world, &own.secret).await;
            let mut now = world.now;
            let expected = match meanwhile {
                Meanwhile::Revoked => {
                    keys.revoke(own.key.id, now).await.unwrap();
                    Refusal::RevokedApiKey
                }
                Meanwhile::PermissionTaken => {
                    let left = permission_set(&["orders:read"]);
                    let groups = world.store.groups(&scope);
                    groups.set_permissions("Own", left, now).await.unwrap();
                    Refusal::MissingPermission(write())
                }
                Meanwhile::AllowlistSet => {
                    let elsewhere = KeyChanges {
                        allowlist: Some("198.51.100.0/24".parse_allowlist()),
                        ..KeyChanges::default()
                    };
                    keys.update(own.key.id, elsewhere, None, now).await.unwrap();
                    Refusal::IpNotAllowed
                }
                Meanwhile::TenantSuspended => {
                    world.store.tenants(&cli).suspend(slug, now).await.unwrap();
                    Refusal::TenantSuspended
                }
                Meanwhile::Expired => {
                    now = in_days(world, 1).ends_at();
                    Refusal::ExpiredApiKey
                }
            };
            let trail = world.store.audit(&scope).newest(100).await.unwrap();
            let by_key = world.store.keys(&acting);
            new.expires_on = Some(in_days(world, 3));
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
                    // Its own rotation stumbles over what it is before over who asks.
                    Some(Error::ActorRefused(refusal)) => assert_eq!(refusal, expected),
                    other => panic!("{meanwhile:?}: {other:?}"),
                }
            }
            let after = world.store.audit(&scope).newest(100).await.unwrap();
            assert_eq!(after, trail, "{meanwhile:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn p39_a_key_of_another_tenant_is_not_there_for_the_one_that_acts() {
    on_every_database(async |world| {
        let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
        let group = world.group(&acme, "Own", &["api-keys:write"]).await;
        let theirs = world.group(&globex, "Theirs", &[]).await;
        let own = issue(world, &acme, &group, "Own").await;
        let IssuedKey { key, .. } = issue(world, &globex, &theirs, "Theirs").await;
        let acting = scope_of(world, &own.secret).await;
        let by_key = world.store.keys(&acting);
        for refused in [
            by_key
                .update(key.id, KeyChanges::default(), None, world.now)
                .await
                .err(),
            by_key
                .rotate(key.id, RotatedExpiry::Keep, world.now)
                .await
                .err(),
            by_key.revoke(key.id, world.now).await.err(),
        ] {
            assert!(matches!(refused, Some(Error::NotFound(_))), "{refused:?}");
        }
    })
    .await;
}
