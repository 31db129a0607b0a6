//! The security policy: rules for the dates of keys, and the tenant-wide allowlist.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    audit::AuditAction,
    client_address::ClientAddress,
    key::{
        KeyStatus, NewKey, RotatedExpiry,
        format::Secret,
        lifetime::LifetimeRule,
        query::{KeyQuery, KeySort, KeySortColumn, PolicyFilter},
        simulation::{Check, CheckOutcome, SimulatedRequest},
        verdict::{AllowlistOf, Refusal},
    },
    security_policy::{PolicyFindings, SecurityPolicy, SecurityPolicyChanges},
    store::TenantScope,
    verify::Verifier,
};
use serde_json::json;

use crate::{
    key_list::walk,
    keys::{ParseAllowlist, in_days, issue, new_key},
    test_store::{TestStore, on_every_database},
};

fn client(address: &str) -> ClientAddress {
    ClientAddress::known(address.parse().expect("an address"))
}

/// A change of the rule for dates.
fn lifetimes(required: bool, max: Option<u32>) -> SecurityPolicyChanges {
    SecurityPolicyChanges {
        expiration_required: Some(required),
        max_lifetime_days: Some(max.map(|days| days.try_into().expect("a lifetime"))),
        ..SecurityPolicyChanges::default()
    }
}

fn allowlist(lines: &str) -> SecurityPolicyChanges {
    SecurityPolicyChanges {
        ip_allowlist: Some(lines.parse_allowlist()),
        ..SecurityPolicyChanges::default()
    }
}

async fn change(fixture: &TestStore, scope: &TenantScope, changes: SecurityPolicyChanges) {
    let policy = fixture.store.security_policy(scope);
    let changed = policy.change(changes, None, fixture.now).await;
    changed.expect("changed");
}

/// The error of the date, if `result` has one.
fn date_error<T>(result: Result<T, Error>) -> Option<String> {
    match result {
        Ok(_) => None,
        Err(Error::Invalid(errors)) => {
            let [error] = errors.as_slice() else {
                panic!("{errors:?}")
            };
            assert_eq!(error.field, "expires_on");
            Some(error.message.clone())
        }
        Err(error) => panic!("{error}"),
    }
}

async fn judge(
    fixture: &TestStore,
    secret: &Secret,
    client: ClientAddress,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let verifier = Verifier::new(fixture.store.clone());
    let verdict = verifier.verify(secret.expose(), client, None, now).await;
    verifier.flush().await.expect("flushed");
    verdict.expect("a verdict").map(|_| ())
}

#[tokio::test]
async fn p29_a_new_tenants_policy_is_empty_and_each_tenant_has_its_own() {
    on_every_database(async |fixture| {
        let acme = fixture.tenant("acme").await;
        let globex = fixture.tenant("globex").await;
        let empty = SecurityPolicy {
            expiration_required: false,
            max_lifetime_days: None,
            default_lifetime_days: None,
            ip_allowlist: "".parse_allowlist(),
            second_factor_required: false,
            version: 1,
        };
        let read = async |scope| fixture.store.security_policy(scope).get().await.unwrap();
        assert_eq!(read(&acme).await, empty);
        change(fixture, &acme, lifetimes(true, Some(90))).await;
        change(fixture, &acme, allowlist("192.0.2.0/24")).await;
        let changed = read(&acme).await;
        assert_eq!(changed.max_lifetime_days.map(u32::from), Some(90));
        assert_eq!(changed.version, 3);
        assert_eq!(read(&globex).await, empty);
        let group = fixture.group(&globex, "Ordering", &[]).await;
        let theirs = issue(fixture, &globex, &group, "Theirs").await;
        let verdict = judge(fixture, &theirs.secret, client("203.0.113.9"), fixture.now);
        assert_eq!(verdict.await, Ok(()));
    })
    .await;
}

#[tokio::test]
async fn a_date_that_the_policy_forbids_is_refused_at_creation_and_rotation() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let never = issue(fixture, &scope, &group, "never").await.key;
        let long = NewKey {
            expires_on: Some(in_days(fixture, 300)),
            ..new_key("long", &group)
        };
        let long = keys.create(long, fixture.now).await.unwrap().key;
        let create = async |expires_on| {
            let new = NewKey {
                expires_on,
                ..new_key("new", &group)
            };
            date_error(keys.create(new, fixture.now).await)
        };
        let rotate = async |id, expiry| date_error(keys.rotate(id, expiry, fixture.now).await);
        let required = Some("An expiration date is required".to_owned());
        let too_late = Some("Must be at most 90 days from today".to_owned());
        let keep = RotatedExpiry::Keep;

        change(fixture, &scope, lifetimes(true, None)).await;
        assert_eq!(create(None).await, required);
        assert_eq!(rotate(never.id, keep).await, required);
        assert_eq!(rotate(long.id, RotatedExpiry::Set(None)).await, required);
        assert_eq!(create(Some(in_days(fixture, 3_000))).await, None);

        change(fixture, &scope, lifetimes(false, Some(90))).await;
        assert_eq!(create(None).await, required);
        assert_eq!(create(Some(in_days(fixture, 91))).await, too_late);
        assert_eq!(create(Some(in_days(fixture, 90))).await, None);
        assert_eq!(rotate(long.id, keep).await, too_late);
        let to = |days| RotatedExpiry::Set(Some(in_days(fixture, days)));
        assert_eq!(rotate(long.id, to(91)).await, too_late);
        // A refused rotation keeps the secret.
        assert_eq!(
            keys.get(long.id, fixture.now).await.unwrap().hint,
            long.hint
        );
        assert_eq!(rotate(long.id, to(90)).await, None);
        assert_eq!(rotate(never.id, to(1)).await, None);
    })
    .await;
}

#[tokio::test]
async fn existing_keys_keep_working_and_are_found_outside_the_policy() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        // For each key: days from creation to rotation, if it was rotated, and days from creation to expiration, if any.
        let made = [
            ("never", None, None),
            ("long", None, Some(181)),
            ("at the limit", None, Some(180)),
            ("rotated", Some(10), Some(190)),
            ("rotated and long", Some(10), Some(191)),
            ("revoked", None, None),
        ];
        let then = fixture.now - TimeDelta::days(20);
        let mut secrets = Vec::new();
        for (name, rotated, expires) in made {
            let day = |days: i64| then + TimeDelta::days(days);
            let new = NewKey {
                expires_on: expires.map(|days| day(days).date_naive().into()),
                ..new_key(name, &group)
            };
            let mut issued = keys.create(new, then).await.unwrap();
            if let Some(days) = rotated {
                let keep = RotatedExpiry::Keep;
                let rotated = keys.rotate(issued.key.id, keep, day(days)).await;
                issued = rotated.unwrap().value;
            }
            if name == "revoked" {
                keys.revoke(issued.key.id, fixture.now).await.unwrap();
            } else {
                secrets.push(issued.secret);
            }
        }
        let outside = async |sort: KeySort, status| {
            let query = KeyQuery {
                policy: Some(PolicyFilter::Outside),
                status,
                sort,
                limit: 1,
                ..KeyQuery::default()
            };
            let found = walk(fixture, &scope, query.clone()).await;
            let summary = keys.summary(&query, fixture.now).await.unwrap();
            assert_eq!(summary.matching, found.len() as u64);
            assert!(found.iter().all(|key| key.outside_policy));
            let mut names: Vec<_> = found.iter().map(|key| key.name.to_string()).collect();
            names.sort();
            names
        };
        let every_order = KeySortColumn::ALL.map(|column| KeySort {
            column,
            descending: true,
        });
        for (rule, expected) in [
            (lifetimes(false, None), vec![]),
            (lifetimes(true, None), vec!["never"]),
            (
                lifetimes(false, Some(180)),
                vec!["long", "never", "rotated and long"],
            ),
            (lifetimes(true, Some(3_650)), vec!["never"]),
        ] {
            change(fixture, &scope, rule).await;
            for sort in every_order {
                assert_eq!(outside(sort, None).await, expected);
            }
            let sort = KeySort::default();
            assert_eq!(outside(sort, Some(KeyStatus::Active)).await, expected);
            assert!(outside(sort, Some(KeyStatus::Revoked)).await.is_empty());
            let listed = keys.list(&KeyQuery::default(), fixture.now).await.unwrap();
            let flagged = listed.items.iter().filter(|key| key.outside_policy);
            assert_eq!(flagged.count(), expected.len());
            for secret in &secrets {
                let verdict = judge(fixture, secret, client("192.0.2.7"), fixture.now);
                assert_eq!(verdict.await, Ok(()));
            }
        }
        let rule = |max: Option<u32>| LifetimeRule {
            expiration_required: false,
            max_days: max.map(|days| days.try_into().unwrap()),
        };
        let findings = async |max| keys.policy_findings(rule(max), fixture.now).await.unwrap();
        let found = |never_expire, live_longer| PolicyFindings {
            never_expire,
            live_longer,
        };
        assert_eq!(findings(Some(180)).await, found(1, 2));
        assert_eq!(findings(None).await, found(1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_self_rotation_takes_the_latest_permitted_date() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture
            .group(&scope, "Own", &["api-keys:rotate-self"])
            .await;
        let keys = fixture.store.keys(&scope);
        for (own, rule, expected) in [
            (Some(300), lifetimes(false, Some(90)), Some(90)),
            (Some(30), lifetimes(true, Some(90)), Some(30)),
            (None, lifetimes(false, Some(90)), Some(90)),
            (None, lifetimes(false, None), None),
            (None, lifetimes(true, None), Some(3_650)),
        ] {
            change(fixture, &scope, lifetimes(false, None)).await;
            let new = NewKey {
                expires_on: own.map(|days| in_days(fixture, days)),
                ..new_key("Own", &group)
            };
            let issued = keys.create(new, fixture.now).await.unwrap();
            change(fixture, &scope, rule).await;
            let verifier = Verifier::new(fixture.store.clone());
            let permission = "api-keys:rotate-self".parse().unwrap();
            let address = client("192.0.2.7");
            let secret = issued.secret.expose();
            let verified = verifier.verify(secret, address, Some(&permission), fixture.now);
            let acting = verified.await.unwrap().expect("a good key").scope();
            let rotated = fixture.store.keys(&acting).rotate_self(fixture.now).await;
            let key = rotated.unwrap().value.key;
            assert_eq!(key.expires_on, expected.map(|days| in_days(fixture, days)));
            assert!(!key.outside_policy);
            keys.revoke(key.id, fixture.now).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn p37_p39_a_request_must_match_the_tenants_allowlist_and_the_keys_own() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let new = NewKey {
            allowlist: "192.0.2.0/24\n2001:db8::/32".parse_allowlist(),
            ..new_key("ERP", &group)
        };
        let listed = keys.create(new, fixture.now).await.unwrap();
        let open = issue(fixture, &scope, &group, "open").await;
        change(fixture, &scope, allowlist("192.0.2.128/25\n203.0.113.0/24")).await;
        let by = |list| Err(Refusal::IpNotAllowed(list));
        let (tenant, key) = (AllowlistOf::Tenant, AllowlistOf::Key);
        for (address, of_listed, of_open) in [
            (client("192.0.2.200"), Ok(()), Ok(())),
            (client("::ffff:192.0.2.200"), Ok(()), Ok(())),
            (client("192.0.2.7"), by(tenant), by(tenant)),
            (client("203.0.113.9"), by(key), Ok(())),
            (client("198.51.100.7"), by(tenant), by(tenant)),
            // The key's list admits it, and the tenant's has no IPv6 network.
            (client("2001:db8::1"), by(tenant), by(tenant)),
            (ClientAddress::Unknown, by(tenant), by(tenant)),
        ] {
            for (issued, expected) in [(&listed, of_listed), (&open, of_open)] {
                let verdict = judge(fixture, &issued.secret, address, fixture.now).await;
                assert_eq!(verdict, expected, "{address:?}");
                let request = SimulatedRequest {
                    ip: address.ip(),
                    ..SimulatedRequest::default()
                };
                let simulation = keys.simulate(issued.key.id, &request, fixture.now);
                let simulation = simulation.await.unwrap();
                let decided = (simulation.checks.iter())
                    .find(|(_, outcome)| *outcome == CheckOutcome::DecidedHere)
                    .map(|(check, _)| *check);
                let expected = match expected {
                    Ok(()) => None,
                    Err(Refusal::IpNotAllowed(AllowlistOf::Tenant)) => {
                        Some(Check::TenantIpAllowlist)
                    }
                    Err(_) => Some(Check::IpAllowlist),
                };
                assert_eq!(decided, expected, "{address:?}");
            }
        }
        // The preview of a key's allowlist includes the tenant's.
        let every = "0.0.0.0/0\n::/0".parse_allowlist();
        change(fixture, &scope, allowlist("203.0.113.0/24")).await;
        let preview = keys.preview_allowlist(listed.key.id, &every, fixture.now);
        let preview = preview.await.unwrap();
        assert_eq!((preview.addresses, preview.refused.len()), (1, 1));
        assert_eq!(preview.refused[0].ip, "192.0.2.200");
    })
    .await;
}

#[tokio::test]
async fn a_preview_of_the_tenants_allowlist_names_each_refused_address_with_a_key() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let keys = fixture.store.keys(&scope);
        let feed = issue(fixture, &scope, &group, "Partner feed").await;
        let tests = issue(fixture, &scope, &group, "CI smoke tests").await;
        let gone = issue(fixture, &scope, &group, "Gone").await;
        let other = fixture.tenant("globex").await;
        let other_group = fixture.group(&other, "Theirs", &[]).await;
        let theirs = issue(fixture, &other, &other_group, "Theirs").await;
        for (issued, address, days) in [
            (&feed, "192.0.2.44", 0),
            (&tests, "192.0.2.44", 2),
            (&feed, "198.51.100.77", 5),
            (&tests, "198.51.100.77", 3),
            (&feed, "203.0.113.9", 1),
            // Before the days of the preview, of a revoked key and of another tenant.
            (&feed, "198.51.100.1", 7),
            (&gone, "198.51.100.2", 0),
            (&theirs, "198.51.100.3", 0),
        ] {
            let at = fixture.now - TimeDelta::days(days);
            judge(fixture, &issued.secret, client(address), at)
                .await
                .unwrap();
        }
        keys.revoke(gone.key.id, fixture.now).await.unwrap();
        let preview = async |lines: &str| {
            let list = lines.parse_allowlist();
            let preview = keys.preview_tenant_allowlist(&list, fixture.now).await;
            preview.unwrap()
        };
        let shown = preview("203.0.113.0/24").await;
        assert_eq!(
            shown.preview.summary("keys of this tenant"),
            "Of 3 addresses that used keys of this tenant in the last 7 days, 2 would be refused."
        );
        let refused: Vec<_> = (shown.preview.refused.iter())
            .map(|address| (address.ip.as_str(), shown.preview.ago(address.last_date)))
            .collect();
        assert_eq!(
            refused,
            [
                ("192.0.2.44", "today".to_owned()),
                ("198.51.100.77", "3 days ago".to_owned())
            ]
        );
        let pair = |address: &str, key: &str| (address.to_owned(), key.to_owned());
        assert_eq!(
            shown.used_by,
            [
                pair("192.0.2.44", "Partner feed"),
                pair("198.51.100.77", "CI smoke tests")
            ]
        );
        assert!(!shown.is_partial);
        assert!(preview("").await.preview.refused.is_empty());
    })
    .await;
}

#[tokio::test]
async fn p48_a_change_of_an_outdated_version_and_one_without_a_difference_write_nothing() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let policies = fixture.store.security_policy(&scope);
        let now = fixture.now;
        let changed = policies
            .change(lifetimes(true, Some(90)), Some(1), now)
            .await;
        assert_eq!(changed.unwrap().value.version, 2);
        let stale = policies.change(lifetimes(false, None), Some(1), now).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        let same = policies.change(lifetimes(true, Some(90)), None, now).await;
        assert_eq!(same.unwrap().value.version, 2);
        let longer = SecurityPolicyChanges {
            default_lifetime_days: Some(Some(91.try_into().unwrap())),
            ..SecurityPolicyChanges::default()
        };
        let refused = policies.change(longer, None, now).await;
        match refused {
            Err(Error::Invalid(errors)) => assert_eq!(
                errors[0].message,
                "Must be at most the longest lifetime, 90"
            ),
            other => panic!("{other:?}"),
        }
        let events = fixture.store.audit(&scope).newest(100).await.unwrap();
        let written: Vec<_> = events
            .iter()
            .filter(|event| event.action == AuditAction::SecurityPolicyChanged)
            .collect();
        assert_eq!(written.len(), 1);
        assert_eq!(
            written[0].changes,
            json!({
                "expiration_required": { "before": false, "after": true },
                "max_lifetime_days": { "before": null, "after": 90 },
            })
        );
        assert_eq!(written[0].target.kind, "security_policy");
    })
    .await;
}

#[tokio::test]
async fn p28_a_key_admits_no_address_that_its_own_allowlist_refuses() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture
            .group(&scope, "Own", &["security-policy:write"])
            .await;
        let new = NewKey {
            allowlist: "192.0.2.0/24".parse_allowlist(),
            ..new_key("Own", &group)
        };
        let own = fixture.store.keys(&scope).create(new, fixture.now).await;
        let own = own.unwrap();
        change(fixture, &scope, allowlist("192.0.2.7\n203.0.113.0/24")).await;
        let permission = "security-policy:write".parse().unwrap();
        let acting = async || {
            let verifier = Verifier::new(fixture.store.clone());
            let verified = verifier.verify(
                own.secret.expose(),
                client("192.0.2.7"),
                Some(&permission),
                fixture.now,
            );
            verified.await.unwrap().map(|verified| verified.scope())
        };
        let by_key = acting().await.unwrap();
        let set = async |lines: &str| {
            let policies = fixture.store.security_policy(&by_key);
            policies.change(allowlist(lines), None, fixture.now).await
        };
        for lines in ["", "198.51.100.0/24", "203.0.112.0/23", "0.0.0.0/0\n::/0"] {
            let refused = set(lines).await;
            assert!(matches!(refused, Err(Error::ExceedsOwnGrant)), "{lines}");
        }
        // Addresses of its own list, and those that the tenant's list admits already.
        set("192.0.2.0/24\n203.0.113.128/25").await.unwrap();
        // It can exclude its own address; its next change is refused.
        set("203.0.113.128/25").await.unwrap();
        let by_policy = Refusal::IpNotAllowed(AllowlistOf::Tenant);
        assert_eq!(acting().await.err(), Some(by_policy.clone()));
        match set("192.0.2.7").await {
            Err(Error::ActorRefused(refusal)) => assert_eq!(refusal, by_policy),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn p48_concurrent_changes_of_one_version_have_one_winner() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let changes = (1..=50_u32).map(|days| {
            let (store, scope, now) = (fixture.store.clone(), scope.clone(), fixture.now);
            tokio::spawn(async move {
                let policies = store.security_policy(&scope);
                let change = lifetimes(true, Some(days));
                policies.change(change, Some(1), now).await.map(drop)
            })
        });
        let mut winners = 0;
        for change in changes.collect::<Vec<_>>() {
            match change.await.unwrap() {
                Ok(()) => winners += 1,
                Err(Error::Stale) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(winners, 1);
        let policy = fixture.store.security_policy(&scope).get().await.unwrap();
        assert_eq!(policy.version, 2);
    })
    .await;
}
