//! The audit log: every change writes an event, events are immutable, and each tenant reads only its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use domain::{
    Error,
    audit::{AuditAction, AuditQuery, AuditedActor},
};

use crate::test_store::on_every_database;

/// A cursor with a valid checksum.
fn forged_cursor(at: i64) -> String {
    let mut bytes =
        format!(r#"{{"at":{at},"event":"00000000-0000-0000-0000-000000000000"}}"#).into_bytes();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn audit_events_cannot_be_changed_or_deleted() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let before = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(before.len(), 1);
        for statement in [
            "UPDATE audit_events SET actor_name = 'another'",
            "DELETE FROM audit_events",
        ] {
            let refused = fixture.execute(statement, []).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{refused}");
        }
        if fixture.sqlite_file().is_none() {
            let refused = fixture.execute("TRUNCATE audit_events", []).await;
            assert!(refused.unwrap_err().to_string().contains("append-only"));
        }
        let after = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(after, before);
    })
    .await;
}

#[tokio::test]
async fn a_change_without_its_audit_event_is_rolled_back() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        fixture.group(&scope, "Ordering", &["orders:read"]).await;
        fixture
            .execute("ALTER TABLE audit_events RENAME TO away", [])
            .await
            .unwrap();
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        let later = fixture.now + TimeDelta::hours(1);
        let groups = fixture.store.groups(&scope);
        for refused in [
            tenants.set_limit("acme", 5, later).await.err(),
            tenants.suspend("acme", later).await.err(),
            groups
                .set_permissions("Ordering", crate::test_store::permission_set(&[]), later)
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
                .is_subset(&crate::test_store::permission_set(&[]))
        );
    })
    .await;
}

#[tokio::test]
async fn the_newest_events_come_first_and_only_of_the_tenant() {
    on_every_database(async |fixture| {
        let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        tenants
            .suspend("acme", fixture.now + TimeDelta::hours(1))
            .await
            .unwrap();
        // Events with equal times stay in the order in which they were written.
        tenants
            .resume("acme", fixture.now + TimeDelta::hours(1))
            .await
            .unwrap();
        let actions = |events: Vec<domain::audit::AuditEvent>| {
            events
                .into_iter()
                .map(|event| event.action)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            actions(fixture.store.audit(&acme).newest(2).await.unwrap()),
            [AuditAction::TenantResumed, AuditAction::TenantSuspended]
        );
        assert_eq!(
            actions(fixture.store.audit(&globex).newest(10).await.unwrap()),
            [AuditAction::TenantCreated]
        );
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_is_filtered_and_paged() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let other = fixture.tenant("globex").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let theirs = fixture.group(&other, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let mut made = Vec::new();
        for number in 0..5 {
            let at = fixture.now + TimeDelta::seconds(number);
            let new = crate::keys::new_key("ERP", &group);
            made.push(keys.create(new, at).await.unwrap().key.id);
        }
        let foreign = crate::keys::issue(fixture, &other, &theirs, "Theirs").await;
        keys.revoke(made[2], fixture.now + TimeDelta::seconds(9))
            .await
            .unwrap();
        let audit = fixture.store.audit(&scope);
        let all = audit.newest(100).await.unwrap();
        assert_eq!(all.len(), 8);
        let list = async |query: AuditQuery| audit.list(&query).await.unwrap().items;
        let everything = AuditQuery::default();
        assert_eq!(list(everything.clone()).await, all);
        let of_key = |key_id| AuditQuery {
            keys: Some(vec![key_id]),
            ..AuditQuery::default()
        };
        assert_eq!(list(of_key(made[2])).await.len(), 2);
        assert_eq!(list(of_key(foreign.key.id)).await, []);
        let created = AuditQuery {
            action: Some(AuditAction::ApiKeyCreated),
            from: Some(fixture.now + TimeDelta::seconds(1)),
            to: Some(fixture.now + TimeDelta::seconds(4)),
            ..AuditQuery::default()
        };
        let times: Vec<_> = list(created).await.iter().map(|event| event.at).collect();
        let expected = [3, 2, 1].map(|seconds| fixture.now + TimeDelta::seconds(seconds));
        assert_eq!(times, expected);
        let by_cli = AuditQuery {
            actor: Some(AuditedActor::Cli),
            ..AuditQuery::default()
        };
        assert_eq!(list(by_cli).await, all);
        let by_nobody = AuditQuery {
            actor: Some(AuditedActor::Id(made[0].as_uuid())),
            ..AuditQuery::default()
        };
        assert_eq!(list(by_nobody).await, []);

        for limit in 1..=9 {
            let mut walked = Vec::new();
            let mut query = AuditQuery {
                limit,
                ..AuditQuery::default()
            };
            loop {
                let page = audit.list(&query).await.unwrap();
                assert!(page.items.len() <= limit as usize);
                walked.extend(page.items);
                query.cursor = page.next_cursor;
                if query.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(walked, all, "{limit}");
        }
        // All but two are well-formed and contain a time outside of PostgreSQL's or the events' range.
        let forged = [
            i64::MAX,
            i64::MIN,
            253_402_300_800_000_000,
            -62_200_000_000_000_000,
        ]
        .map(forged_cursor);
        for cursor in forged.iter().map(String::as_str).chain(["x", ""]) {
            let broken = AuditQuery {
                cursor: Some(cursor.to_owned()),
                ..AuditQuery::default()
            };
            let refused = audit.list(&broken).await;
            assert!(matches!(refused, Err(Error::InvalidCursor)), "{refused:?}");
        }
    })
    .await;
}
