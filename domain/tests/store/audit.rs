//! The audit trail: nothing changes without it, nobody changes it, each tenant reads its own.

use chrono::TimeDelta;
use domain::{Error, audit::AuditAction};

use crate::world::on_every_database;

#[tokio::test]
async fn events_can_be_neither_changed_nor_removed() {
    on_every_database(async |world| {
        let scope = world.tenant("acme").await;
        let before = world.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(before.len(), 1);
        for statement in [
            "UPDATE audit_events SET actor_name = 'somebody else'",
            "DELETE FROM audit_events",
        ] {
            let refused = world.execute(statement, []).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{refused}");
        }
        if world.sqlite_file().is_none() {
            let refused = world.execute("TRUNCATE audit_events", []).await;
            assert!(refused.unwrap_err().to_string().contains("append-only"));
        }
        let after = world.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(after, before);
    })
    .await;
}

#[tokio::test]
async fn a_change_that_cannot_be_audited_does_not_happen() {
    on_every_database(async |world| {
        let scope = world.tenant("acme").await;
        world.group(&scope, "Ordering", &["orders:read"]).await;
        world
            .execute("ALTER TABLE audit_events RENAME TO away", [])
            .await
            .unwrap();
        let operator = world.store.as_cli();
        let tenants = world.store.tenants(&operator);
        let later = world.now + TimeDelta::hours(1);
        let groups = world.store.groups(&scope);
        for refused in [
            tenants.set_limit("acme", 5, later).await.err(),
            tenants.suspend("acme", later).await.err(),
            groups
                .set_permissions("Ordering", crate::world::permission_set(&[]), later)
                .await
                .err(),
        ] {
            assert!(matches!(refused, Some(Error::Internal(_))), "{refused:?}");
        }
        let tenant = tenants.find("acme").await.unwrap();
        assert_eq!((tenant.key_limit, tenant.suspended_at), (10, None));
        let group = groups.find("Ordering").await.unwrap();
        assert!(
            !group
                .permissions
                .is_subset(&crate::world::permission_set(&[]))
        );
    })
    .await;
}

#[tokio::test]
async fn the_newest_come_first_and_only_the_tenants_own() {
    on_every_database(async |world| {
        let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
        let operator = world.store.as_cli();
        let tenants = world.store.tenants(&operator);
        tenants
            .suspend("acme", world.now + TimeDelta::hours(1))
            .await
            .unwrap();
        // In the same moment as the one before: the order of writing decides.
        tenants
            .resume("acme", world.now + TimeDelta::hours(1))
            .await
            .unwrap();
        let actions = |events: Vec<domain::audit::AuditEvent>| {
            events
                .into_iter()
                .map(|event| event.action)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            actions(world.store.audit(&acme).newest(2).await.unwrap()),
            [AuditAction::TenantResumed, AuditAction::TenantSuspended]
        );
        assert_eq!(
            actions(world.store.audit(&globex).newest(10).await.unwrap()),
            [AuditAction::TenantCreated]
        );
    })
    .await;
}
