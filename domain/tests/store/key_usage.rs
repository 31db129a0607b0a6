//! Usage on the page of a key and in the list.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    audit::AuditAction,
    client_address::ClientAddress,
    key::{
        KeyChanges, RotatedExpiry,
        usage::{ADDRESS_DAYS, MAX_ADDRESSES, MAX_DAYS, SPARKLINE_DAYS},
    },
    permission::Permission,
    store::keys::{MOST_ADDRESSES, OTHER, UNKNOWN},
    verify::Verifier,
};
use sea_orm::{ConnectionTrait, Statement};

use crate::{
    keys::issue,
    test_store::{TestStore, on_every_database},
};

fn client(address: &str) -> ClientAddress {
    ClientAddress::known(address.parse().expect("an address"))
}

fn missing() -> Permission {
    "orders:write".parse().expect("a permission")
}

/// Sends a request that the key's group refuses.
async fn refuse(verifier: &Verifier, secret: &str, client: ClientAddress, now: DateTime<Utc>) {
    let verdict = verifier.verify(secret, client, Some(&missing()), now).await;
    verdict.expect("a verdict").expect_err("no permission");
}

async fn accept(verifier: &Verifier, secret: &str, client: ClientAddress, now: DateTime<Utc>) {
    let verdict = verifier.verify(secret, client, None, now).await;
    verdict.expect("a verdict").expect("a good key");
}

/// The stored counts of refused requests by address: address, code, count.
async fn stored(fixture: &TestStore) -> Vec<(String, String, i64)> {
    let connection = fixture.connection().await;
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT address, code, count FROM refusal_addresses ORDER BY address, code",
    );
    let rows = connection.query_all_raw(statement).await.expect("rows");
    connection.close().await.expect("closed");
    rows.iter()
        .map(|row| {
            let address = row.try_get("", "address").expect("text");
            let code = row.try_get("", "code").expect("text");
            (address, code, row.try_get("", "count").expect("a number"))
        })
        .collect()
}

#[tokio::test]
async fn p03_refusals_are_counted_by_address_and_junk_keeps_none() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let later = fixture.now + TimeDelta::minutes(5);
        // Two replicas, each of which writes twice.
        for verifier in [(); 2].map(|()| Verifier::new(fixture.store.clone())) {
            for now in [later, fixture.now] {
                for address in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"] {
                    refuse(&verifier, key.secret.expose(), client(address), now).await;
                }
                let unknown = ClientAddress::Unknown;
                refuse(&verifier, key.secret.expose(), unknown, now).await;
                let junk = verifier
                    .verify("junk", client("198.51.100.1"), None, now)
                    .await;
                junk.expect("a verdict").expect_err("no key");
                verifier.flush().await.unwrap();
            }
        }
        let code = || "missing_permission".to_owned();
        assert_eq!(
            stored(fixture).await,
            [
                ("192.0.2.7".to_owned(), code(), 8),
                ("2001:db8::1".to_owned(), code(), 4),
                (UNKNOWN.to_owned(), code(), 4),
            ]
        );
        let keys = fixture.store.keys(&scope);
        let reasons = keys.refusal_reasons(key.key.id, fixture.now).await.unwrap();
        assert_eq!(reasons.len(), 1);
        assert_eq!(reasons[0].code, code());
        assert_eq!(reasons[0].count, 16);
        assert_eq!(reasons[0].last_at, Some(later));
        let addresses: Vec<_> = (reasons[0].addresses.iter())
            .map(|address| (address.ip.as_deref(), address.count, address.last_at))
            .collect();
        assert_eq!(
            addresses,
            [
                (Some("192.0.2.7"), 8, later),
                (Some("2001:db8::1"), 4, later),
                (Some(UNKNOWN), 4, later),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn so_many_refused_addresses_a_day_are_told_apart_whatever_the_code() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let secret = key.secret.expose();
        let verifier = Verifier::new(fixture.store.clone());
        let address = |number: u32| client(&format!("192.0.2.{number}"));
        let keys = fixture.store.keys(&scope);
        // The first thirty are refused for one reason, the next thirty for another.
        for number in 0..30 {
            refuse(&verifier, secret, address(number), fixture.now).await;
        }
        verifier.flush().await.unwrap();
        let expired = fixture.now + TimeDelta::minutes(1);
        keys.revoke(key.key.id, fixture.now).await.unwrap();
        for _ in 0..2 {
            for number in 20..60 {
                let verdict = verifier.verify(secret, address(number), None, expired);
                verdict.await.unwrap().expect_err("revoked");
            }
            verifier.flush().await.unwrap();
        }
        let rows = stored(fixture).await;
        let addresses: std::collections::BTreeSet<_> = rows
            .iter()
            .map(|(address, ..)| address.as_str())
            .filter(|address| *address != OTHER)
            .collect();
        assert_eq!(addresses.len() as u32, MOST_ADDRESSES);
        let of_code = |wanted: &str| -> i64 {
            let rows = rows.iter().filter(|(_, code, _)| code == wanted);
            rows.map(|(.., count)| count).sum()
        };
        assert_eq!(of_code("missing_permission"), 30);
        assert_eq!(of_code("revoked_api_key"), 80);
        let other = rows.iter().find(|(address, ..)| address == OTHER);
        let (_, code, count) = other.expect("the rest");
        assert_eq!((code.as_str(), *count), ("revoked_api_key", 20));

        let reasons = keys.refusal_reasons(key.key.id, expired).await.unwrap();
        let shown: Vec<_> = (reasons.iter())
            .map(|reason| (reason.code.as_str(), reason.count, reason.addresses.len()))
            .collect();
        assert_eq!(
            shown,
            [("revoked_api_key", 80, 31), ("missing_permission", 30, 30)]
        );
        assert_eq!(reasons[0].addresses.last().unwrap().ip, None);
    })
    .await;
}

#[tokio::test]
async fn usage_lists_every_day_and_the_addresses_of_a_week() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let (secret, now) = (key.secret.expose(), fixture.now);
        let ago = |days: i64| now - TimeDelta::days(days);
        let verifier = Verifier::new(fixture.store.clone());
        for _ in 0..3 {
            accept(&verifier, secret, client("192.0.2.7"), ago(6)).await;
        }
        // One day before the week of addresses, and one day before the ninety days.
        accept(&verifier, secret, client("198.51.100.1"), ago(7)).await;
        accept(&verifier, secret, client("198.51.100.1"), ago(90)).await;
        accept(&verifier, secret, client("198.51.100.1"), ago(89)).await;
        accept(&verifier, secret, client("192.0.2.8"), now).await;
        accept(&verifier, secret, ClientAddress::Unknown, now).await;
        refuse(&verifier, secret, client("192.0.2.8"), ago(1)).await;
        refuse(&verifier, secret, client("203.0.113.9"), ago(2)).await;
        verifier.flush().await.unwrap();

        let keys = fixture.store.keys(&scope);
        let usage = keys.key_usage(key.key.id, 30, now).await.unwrap();
        assert_eq!(usage.days.len(), 30);
        assert_eq!(usage.days[0].date, ago(29).date_naive());
        assert_eq!(usage.days[29].date, now.date_naive());
        let counts: Vec<_> = (usage.days.iter())
            .filter(|day| day.accepted > 0 || !day.refused.is_empty())
            .map(|day| (day.date, day.accepted, day.refused_total()))
            .collect();
        assert_eq!(
            counts,
            [
                (ago(7).date_naive(), 1, 0),
                (ago(6).date_naive(), 3, 0),
                (ago(2).date_naive(), 0, 1),
                (ago(1).date_naive(), 0, 1),
                (now.date_naive(), 2, 0),
            ]
        );
        assert_eq!(usage.days[28].refused["missing_permission"], 1);
        let addresses: Vec<_> = (usage.addresses.iter())
            .map(|of| (of.ip.as_deref(), of.accepted, of.refused, of.last_date))
            .collect();
        assert_eq!(
            addresses,
            [
                (Some("192.0.2.7"), 3, 0, ago(6).date_naive()),
                (Some("192.0.2.8"), 1, 1, now.date_naive()),
                (Some(UNKNOWN), 1, 0, now.date_naive()),
                (Some("203.0.113.9"), 0, 1, ago(2).date_naive()),
            ]
        );

        let all = keys.key_usage(key.key.id, 1_000, now).await.unwrap();
        assert_eq!(all.days.len(), MAX_DAYS as usize);
        assert_eq!(all.days[0].accepted, 1);
        let one = keys.key_usage(key.key.id, 0, now).await.unwrap();
        assert_eq!(one.days.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn addresses_of_a_week_are_at_most_fifty_and_others() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        // Each day has other addresses, none of them beyond the limit of its day.
        for day in 0..3_i64 {
            for number in 0..40 {
                let address = client(&format!("192.0.{day}.{number}"));
                let at = fixture.now - TimeDelta::days(day);
                accept(&verifier, key.secret.expose(), address, at).await;
                if day == 2 {
                    accept(&verifier, key.secret.expose(), address, at).await;
                }
            }
        }
        verifier.flush().await.unwrap();
        let keys = fixture.store.keys(&scope);
        let usage = keys.key_usage(key.key.id, 7, fixture.now).await.unwrap();
        assert_eq!(usage.addresses.len(), MAX_ADDRESSES + 1);
        assert_eq!(usage.addresses[0].accepted, 2, "the most used come first");
        let others = usage.addresses.last().unwrap();
        assert_eq!((others.ip.as_deref(), others.accepted), (None, 70));
        assert_eq!(others.last_date, fixture.now.date_naive());
        let sum: u64 = usage.addresses.iter().map(|of| of.accepted).sum();
        assert_eq!(sum, 160);
        assert_eq!(ADDRESS_DAYS, 7);
    })
    .await;
}

#[tokio::test]
async fn sparklines_of_a_page_take_one_statement_and_leave_out_other_tenants() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let idle = issue(fixture, &scope, &group, "Idle").await;
        let foreign_scope = fixture.tenant("globex").await;
        let foreign_group = fixture.group(&foreign_scope, "Ordering", &[]).await;
        let foreign = issue(fixture, &foreign_scope, &foreign_group, "Theirs").await;
        let verifier = Verifier::new(fixture.store.clone());
        for days in [0, 0, 1, 29, 30] {
            let at = fixture.now - TimeDelta::days(days);
            for secret in [key.secret.expose(), foreign.secret.expose()] {
                accept(&verifier, secret, client("192.0.2.7"), at).await;
                accept(&verifier, secret, client("192.0.2.8"), at).await;
            }
        }
        verifier.flush().await.unwrap();
        let keys = fixture.store.keys(&scope);
        let ids = [idle.key.id, key.key.id, foreign.key.id];
        let before = fixture.store.statements();
        let sparklines = keys.sparklines(&ids, fixture.now).await.unwrap();
        assert_eq!(fixture.store.statements() - before, 1);
        assert_eq!(sparklines.len(), 3);
        let of = |index: usize| &sparklines[index].accepted;
        assert!(
            sparklines
                .iter()
                .all(|line| line.accepted.len() == SPARKLINE_DAYS as usize)
        );
        assert_eq!(of(0).iter().sum::<u64>(), 0);
        assert_eq!((of(1)[29], of(1)[28], of(1)[0]), (4, 2, 2));
        assert_eq!(of(1).iter().sum::<u64>(), 8);
        assert_eq!(of(2).iter().sum::<u64>(), 0, "another tenant's key");
        assert_eq!(keys.sparklines(&[], fixture.now).await.unwrap(), []);
        let many = vec![key.key.id; 26];
        assert_eq!(keys.sparklines(&many, fixture.now).await.unwrap().len(), 25);
    })
    .await;
}

#[tokio::test]
async fn a_keys_history_is_its_newest_ten_events() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let keys = fixture.store.keys(&scope);
        for minute in 1..=11 {
            let changes = KeyChanges {
                name: Some(format!("ERP {minute}").parse().unwrap()),
                ..KeyChanges::default()
            };
            let at = fixture.now + TimeDelta::minutes(minute);
            keys.update(key.key.id, changes, None, at).await.unwrap();
        }
        issue(fixture, &scope, &group, "Another").await;
        let at = fixture.now + TimeDelta::hours(1);
        let rotated = keys.rotate(key.key.id, RotatedExpiry::Keep, at).await;
        rotated.expect("rotated");
        let history = keys.history(key.key.id, at).await.unwrap();
        assert_eq!(history.len(), 10);
        assert_eq!(history[0].action, AuditAction::ApiKeyRotated);
        assert_eq!(history[1].changes["name"]["after"], "ERP 11");
        let id = Some(key.key.id.as_uuid());
        assert!(history.iter().all(|event| event.target.id == id));
    })
    .await;
}

#[tokio::test]
async fn p26_p27_another_tenants_key_has_no_usage_here() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        accept(
            &verifier,
            key.secret.expose(),
            client("192.0.2.7"),
            fixture.now,
        )
        .await;
        verifier.flush().await.unwrap();
        let other = fixture.tenant("globex").await;
        let keys = fixture.store.keys(&other);
        let (id, now) = (key.key.id, fixture.now);
        let not_found = |error: Option<Error>| matches!(error, Some(Error::NotFound("API key")));
        assert!(not_found(keys.key_usage(id, 30, now).await.err()));
        assert!(not_found(keys.refusal_reasons(id, now).await.err()));
        assert!(not_found(keys.history(id, now).await.err()));
    })
    .await;
}
