//! Edits of keys: only the named fields change, versions prevent lost updates, every edit is audited.

use chrono::TimeDelta;
use domain::{
    Error,
    actor::{Actor, ActorKind},
    audit::AuditAction,
    client_address::ClientAddress,
    group::GroupType,
    id::KeyId,
    key::{ApiKey, KeyChanges},
    store::groups::NewGroup,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    keys::{ParseAllowlist, in_days, issue, new_key},
    test_store::{TestStore, on_every_database, permission_set},
};

fn renamed(name: &str) -> KeyChanges {
    KeyChanges {
        name: Some(name.parse().expect("a name")),
        ..KeyChanges::default()
    }
}

/// An edit that names every field of `key` with its current value.
fn unchanged(key: &ApiKey) -> KeyChanges {
    KeyChanges {
        name: Some(key.name.clone()),
        description: Some(key.description.clone()),
        group_id: Some(key.authorization_group.id),
        allowlist: Some(key.ip_allowlist.clone()),
    }
}

#[tokio::test]
async fn an_edit_changes_only_named_fields_and_audits_the_differences() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let old_group = fixture.group(&scope, "Ordering", &[]).await;
        let new_group = fixture.group(&scope, "Reading", &[]).await;
        let keys = fixture.store.keys(&scope);
        let mut new = new_key("ERP", &old_group);
        new.expires_on = Some(in_days(fixture, 3));
        new.allowlist = "10.0.0.0/8".parse_allowlist();
        let before = keys.create(new, fixture.now).await.unwrap().key;
        let later = fixture.now + TimeDelta::hours(1);

        let renamed = keys
            .update(before.id, renamed("CRM"), Some(1), later)
            .await
            .unwrap()
            .value;
        let mut expected = before.clone();
        expected.name = "CRM".parse().unwrap();
        expected.updated_at = later;
        expected.version = 2;
        assert_eq!(renamed, expected);
        let newest = async || {
            fixture
                .store
                .audit(&scope)
                .newest(1)
                .await
                .unwrap()
                .remove(0)
        };
        let event = newest().await;
        assert_eq!(event.action, AuditAction::ApiKeyUpdated);
        assert_eq!(event.target.id, Some(before.id.as_uuid()));
        assert_eq!(
            event.changes,
            json!({ "name": { "before": "ERP", "after": "CRM" } })
        );

        let everything = KeyChanges {
            name: Some("Über".parse().unwrap()),
            description: Some("Nightly".parse().unwrap()),
            group_id: Some(new_group.id),
            allowlist: Some("".parse_allowlist()),
        };
        let after = keys
            .update(before.id, everything, None, later)
            .await
            .unwrap()
            .value;
        assert_eq!(keys.get(before.id, later).await.unwrap(), after);
        assert_eq!(after.version, 3);
        assert_eq!(after.name.as_str(), "Über");
        assert_eq!(after.description.as_str(), "Nightly");
        assert_eq!(after.authorization_group.name, "Reading");
        assert!(after.ip_allowlist.is_empty());
        assert_eq!(after.expires_on, before.expires_on);
        assert_eq!(after.hint, before.hint);
        assert_eq!(
            newest().await.changes,
            json!({
                "name": { "before": "CRM", "after": "Über" },
                "description": { "before": "", "after": "Nightly" },
                "authorization_group": {
                    "before": { "id": old_group.id, "name": "Ordering" },
                    "after": { "id": new_group.id, "name": "Reading" },
                },
                "ip_allowlist": { "before": ["10.0.0.0/8"], "after": [] },
            })
        );
    })
    .await;
}

#[tokio::test]
async fn an_edit_that_changes_nothing_writes_nothing() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await.key;
        // Keys can no longer be moved into this group; a key that already has it keeps it.
        fixture
            .execute("UPDATE authorization_groups SET kind = 'user'", [])
            .await
            .unwrap();
        let keys = fixture.store.keys(&scope);
        let later = fixture.now + TimeDelta::hours(1);
        for changes in [KeyChanges::default(), unchanged(&key)] {
            let edited = keys.update(key.id, changes, Some(1), later).await;
            assert_eq!(edited.unwrap().value, key);
        }
        let events = fixture.store.audit(&scope).newest(10).await.unwrap();
        assert_eq!(events[0].action, AuditAction::ApiKeyCreated);
    })
    .await;
}

#[tokio::test]
async fn an_edit_of_a_revoked_key_an_old_version_or_into_a_wrong_group_is_refused() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let own = fixture.group(&acme, "Ordering", &[]).await;
        let foreign = fixture.group(&globex, "Ordering", &[]).await;
        let for_people = NewGroup {
            name: "People".to_owned(),
            kind: GroupType::User,
            permissions: permission_set(&[]),
        };
        let groups = fixture.store.groups(&acme);
        let for_people = groups.create(for_people, fixture.now).await.unwrap();
        let key = issue(fixture, &acme, &own, "ERP").await.key;
        let of_globex = issue(fixture, &globex, &foreign, "Theirs").await.key;
        let keys = fixture.store.keys(&acme);
        let edit = async |id: KeyId, changes, version| {
            keys.update(id, changes, version, fixture.now)
                .await
                .unwrap_err()
        };

        for group in [&foreign, &for_people] {
            let changes = KeyChanges {
                group_id: Some(group.id),
                ..renamed("Renamed")
            };
            match edit(key.id, changes, None).await {
                Error::Invalid(errors) => {
                    assert_eq!(errors.len(), 1);
                    assert_eq!(errors[0].field, "authorization_group_id");
                    assert_eq!(errors[0].message, "Choose an authorization group");
                }
                other => panic!("{other:?}"),
            }
        }
        for version in [0, 2] {
            let refused = edit(key.id, renamed("Renamed"), Some(version)).await;
            assert!(matches!(refused, Error::Stale), "{refused:?}");
        }
        for id in [of_globex.id, Uuid::now_v7().into()] {
            let refused = edit(id, renamed("Renamed"), None).await;
            assert!(matches!(refused, Error::NotFound("API key")), "{refused:?}");
        }
        assert_eq!(keys.get(key.id, fixture.now).await.unwrap(), key);

        let revoked = keys.revoke(key.id, fixture.now).await.unwrap().value;
        for version in [None, Some(1), Some(2)] {
            let refused = edit(key.id, renamed("Renamed"), version).await;
            assert!(matches!(refused, Error::KeyRevoked), "{refused:?}");
        }
        assert_eq!(keys.get(key.id, fixture.now).await.unwrap(), revoked);
        let events = fixture.store.audit(&acme).newest(10).await.unwrap();
        assert!(
            events
                .iter()
                .all(|event| event.action != AuditAction::ApiKeyUpdated)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p48_the_second_of_two_edits_of_one_version_is_refused() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let id = issue(fixture, &scope, &group, "ERP").await.key.id;
        for round in 0..20_i64 {
            let edit = async |name: String| {
                let (store, scope, now) = (fixture.store.clone(), scope.clone(), fixture.now);
                let changes = renamed(&name);
                let edited = tokio::spawn(async move {
                    let keys = store.keys(&scope);
                    keys.update(id, changes, Some(1 + round), now).await
                });
                (name, edited.await.expect("no panic"))
            };
            let (mira, jon) = tokio::join!(
                edit(format!("Mira's {round}")),
                edit(format!("Jon's {round}"))
            );
            let (winner, edited, refused) = match (mira, jon) {
                ((name, Ok(edited)), (_, Err(refused)))
                | ((_, Err(refused)), (name, Ok(edited))) => (name, edited, refused),
                other => panic!("round {round}: {other:?}"),
            };
            assert!(matches!(refused, Error::Stale), "{refused:?}");
            assert_eq!(edited.value.version, 2 + round);
            let read = fixture
                .store
                .keys(&scope)
                .get(id, fixture.now)
                .await
                .unwrap();
            assert_eq!(read, edited.value);
            assert_eq!(read.name.as_str(), winner);
        }
        let events = fixture.store.audit(&scope).newest(100).await.unwrap();
        let edits = events
            .iter()
            .filter(|event| event.action == AuditAction::ApiKeyUpdated);
        assert_eq!(edits.count(), 20);
    })
    .await;
}

#[tokio::test]
async fn the_last_editor_is_the_actor_of_the_newest_change() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let id = issue(fixture, &scope, &group, "ERP").await.key.id;
        let robot = issue(fixture, &scope, &group, "Robot").await;
        let last = async |id| fixture.store.keys(&scope).last_editor(id).await.unwrap();
        assert_eq!(last(id).await.unwrap().kind, ActorKind::Cli);

        let verifier = domain::verify::Verifier::new(fixture.store.clone());
        let client = ClientAddress::Unknown;
        let verdict = verifier.verify(robot.secret.expose(), client, None, fixture.now);
        let as_robot = verdict.await.unwrap().expect("a good key").scope();
        let keys = fixture.store.keys(&as_robot);
        let later = fixture.now + TimeDelta::hours(1);
        keys.update(id, renamed("CRM"), None, later).await.unwrap();
        let robot_actor = Actor::api_key(robot.key.id, "Robot", client).who;
        assert_eq!(last(id).await, Some(robot_actor));
        assert_eq!(last(robot.key.id).await.unwrap().kind, ActorKind::Cli);

        assert_eq!(last(Uuid::now_v7().into()).await, None);
        let foreign = fixture.store.keys(&globex).last_editor(id).await;
        assert_eq!(foreign.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_edited_names_and_descriptions() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &[]).await;
    let id = issue(&fixture, &scope, &group, "ERP").await.key.id;
    let keys = fixture.store.keys(&scope);
    let changes = KeyChanges {
        description: Some("Nächtlich".parse().unwrap()),
        ..renamed("ÜBER")
    };
    keys.update(id, changes, None, fixture.now).await.unwrap();
    for (q, found) in [("über", 1), ("NÄCHT", 1), ("erp", 0)] {
        let query = domain::key::query::KeyQuery {
            q: q.to_owned(),
            ..Default::default()
        };
        let page = keys.list(&query, fixture.now).await.unwrap();
        assert_eq!(page.items.len(), found, "{q}");
    }
}
