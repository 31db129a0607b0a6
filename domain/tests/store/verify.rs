//! Verification of requests against stored keys, and the time of last use.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    client_address::ClientAddress,
    key::{
        ApiKey, IssuedKey, NewKey, RotatedExpiry,
        format::Secret,
        verdict::{AllowlistOf, Refusal},
    },
    store::TenantScope,
    verify::{Owner, Question, VerifiedKey, Verifier},
};

use crate::{
    keys::{ParseAllowlist, in_days, issue, new_key},
    test_store::{TestStore, on_every_database, permission_set},
};

fn client(address: &str) -> ClientAddress {
    ClientAddress::known(address.parse().expect("an address"))
}

async fn judge(
    verifier: &Verifier,
    secret: &Secret,
    now: DateTime<Utc>,
) -> Result<VerifiedKey, Refusal> {
    verifier
        .verify(secret.expose(), client("192.0.2.7"), None, now)
        .await
        .expect("a verdict")
}

#[tokio::test]
async fn an_accepted_key_returns_its_tenant_and_permissions() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture
            .group(&scope, "Ordering", &["orders:read", "orders:write"])
            .await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        let verified = judge(&verifier, &secret, fixture.now).await.unwrap();
        assert_eq!(*verified.key(), key);
        assert_eq!(verified.tenant(), scope.tenant());
        assert_eq!(
            *verified.permissions(),
            permission_set(&["orders:read", "orders:write"])
        );
        assert_eq!(verified.client(), client("192.0.2.7"));
        assert_eq!(verified.scope().tenant(), scope.tenant());
        assert_eq!(verified.scope().actor().who.id, Some(key.id.as_uuid()));
    })
    .await;
}

#[tokio::test]
async fn each_stored_state_causes_its_refusal() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let keys = fixture.store.keys(&scope);
        let new = NewKey {
            allowlist: "10.0.0.0/8".parse_allowlist(),
            expires_on: Some(in_days(fixture, 5)),
            ..new_key("ERP", &group)
        };
        let IssuedKey { key, secret } = keys.create(new, fixture.now).await.unwrap();
        let verifier = Verifier::new(fixture.store.clone());
        let verify = async |address: ClientAddress, permission: &str, now| {
            let permission = permission.parse().unwrap();
            let verdict = verifier.verify(secret.expose(), address, Some(&permission), now);
            verdict.await.unwrap().map(|_| ())
        };
        let (now, inside, outside) = (fixture.now, client("::ffff:10.1.2.3"), client("11.0.0.0"));
        let expired = now + TimeDelta::days(9);
        assert_eq!(verify(inside, "orders:read", now).await, Ok(()));
        let missing = Refusal::MissingPermission("orders:write".parse().unwrap());
        assert_eq!(verify(inside, "orders:write", now).await, Err(missing));
        let by_address = Err(Refusal::IpNotAllowed(AllowlistOf::Key));
        assert_eq!(verify(outside, "orders:write", now).await, by_address);
        let unknown = ClientAddress::Unknown;
        assert_eq!(verify(unknown, "orders:read", now).await, by_address);

        let operator = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&operator);
        tenants.suspend("acme", now).await.unwrap();
        let suspended = Err(Refusal::TenantSuspended);
        assert_eq!(verify(outside, "orders:write", now).await, suspended);
        let over = Err(Refusal::ExpiredApiKey);
        assert_eq!(verify(outside, "orders:write", expired).await, over);
        keys.revoke(key.id, now).await.unwrap();
        let revoked = Err(Refusal::RevokedApiKey);
        assert_eq!(verify(outside, "orders:write", expired).await, revoked);
    })
    .await;
}

#[tokio::test]
async fn p30_a_wrong_checksum_causes_no_query_and_an_unknown_secret_causes_one() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        let last = if secret.expose().ends_with('0') {
            "1"
        } else {
            "0"
        };
        let typo = format!("{}{last}", &secret.expose()[..secret.expose().len() - 1]);
        for wrong in [typo.as_str(), "", "lk_", "' OR 1=1 --", "\0", "ключ"] {
            let verdict = verifier.verify(wrong, ClientAddress::Unknown, None, fixture.now);
            assert!(matches!(verdict.await, Ok(Err(Refusal::InvalidApiKey))));
        }
        assert_eq!(verifier.database_reads(), 0);

        fixture
            .store
            .keys(&scope)
            .rotate(key.id, RotatedExpiry::Keep, fixture.now)
            .await
            .unwrap();
        let clone = verifier.clone();
        let unknown = judge(&clone, &secret, fixture.now).await;
        assert_eq!(unknown.unwrap_err(), Refusal::InvalidApiKey);
        assert_eq!(verifier.database_reads(), 1);
    })
    .await;
}

#[tokio::test]
async fn p40_a_key_works_until_the_end_of_its_day() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let new = NewKey {
            expires_on: Some("2026-03-05".parse().unwrap()),
            ..new_key("ERP", &group)
        };
        let keys = fixture.store.keys(&scope);
        let secret = keys.create(new, fixture.now).await.unwrap().secret;
        let verifier = Verifier::new(fixture.store.clone());
        let at = async |time: &str| {
            let time = time.parse().unwrap();
            judge(&verifier, &secret, time).await.map(|_| ())
        };
        assert_eq!(at("2026-03-05T23:59:59.999Z").await, Ok(()));
        let expired = Err(Refusal::ExpiredApiKey);
        assert_eq!(at("2026-03-06T00:00:00Z").await, expired);
    })
    .await;
}

#[tokio::test]
async fn a_damaged_allowlist_or_group_refuses_every_request() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        let is_refused = async || {
            let verdict = verifier.verify(secret.expose(), client("192.0.2.7"), None, fixture.now);
            assert!(matches!(verdict.await, Err(Error::Internal(_))));
        };
        for damaged in [
            "nonsense",
            " ",
            "\n",
            "10.1.2.3/8",
            "10.0.0.0/8\n",
            "10.0.0.0",
        ] {
            let sql = "UPDATE api_keys SET ip_allowlist = $1";
            fixture.execute(sql, [damaged.into()]).await.unwrap();
            is_refused().await;
            let read = fixture.store.keys(&scope).get(key.id, fixture.now).await;
            assert!(matches!(read, Err(Error::Internal(_))), "{damaged:?}");
        }
        fixture
            .execute("UPDATE api_keys SET ip_allowlist = ''", [])
            .await
            .unwrap();
        judge(&verifier, &secret, fixture.now)
            .await
            .expect("whole again");
        fixture
            .execute("UPDATE authorization_groups SET permissions = '{'", [])
            .await
            .unwrap();
        is_refused().await;
    })
    .await;
}

async fn read(fixture: &TestStore, scope: &TenantScope, key: &ApiKey) -> ApiKey {
    let keys = fixture.store.keys(scope);
    keys.get(key.id, fixture.now).await.expect("a key")
}

#[tokio::test]
async fn p54_last_use_is_written_in_batches_without_a_new_version_and_never_goes_back() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        let later = fixture.now + TimeDelta::nanoseconds(1_234_567_890);
        judge(&verifier, &secret, fixture.now).await.unwrap();
        judge(&verifier.clone(), &secret, later).await.unwrap();
        assert_eq!(
            read(fixture, &scope, &key).await,
            key,
            "no write per request"
        );

        verifier.flush().await.unwrap();
        let used = read(fixture, &scope, &key).await;
        let mut expected = key.clone();
        expected.last_used_at = Some("2026-03-02T12:00:01.234567Z".parse().unwrap());
        expected.last_used_ip = Some("192.0.2.7".to_owned());
        assert_eq!(used, expected, "neither a new version nor a new updated_at");
        let newest = fixture
            .store
            .audit(&scope)
            .newest(1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(newest.target.id, Some(key.id.as_uuid()));
        assert_eq!(newest.at, fixture.now, "no event");

        // Another replica with a clock that is behind.
        let other = Verifier::new(fixture.store.clone());
        let unknown = ClientAddress::Unknown;
        let earlier = fixture.now + TimeDelta::milliseconds(900);
        let verdict = other.verify(secret.expose(), unknown, None, earlier);
        verdict.await.unwrap().unwrap();
        other.flush().await.unwrap();
        assert_eq!(read(fixture, &scope, &key).await, expected);

        // A newer unknown address replaces a known one.
        let newest = fixture.now + TimeDelta::seconds(5);
        let verdict = other.verify(secret.expose(), unknown, None, newest);
        verdict.await.unwrap().unwrap();
        other.flush().await.unwrap();
        let used = read(fixture, &scope, &key).await;
        assert_eq!((used.last_used_at, used.last_used_ip), (Some(newest), None));

        // Rotation keeps the last use.
        let keys = fixture.store.keys(&scope);
        let rotated = keys.rotate(key.id, RotatedExpiry::Keep, newest).await;
        assert_eq!(rotated.unwrap().value.key.last_used_at, Some(newest));
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_does_not_count_as_use() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        let permission = "orders:read".parse().unwrap();
        let address = client("192.0.2.7");
        let verdict = verifier.verify(secret.expose(), address, Some(&permission), fixture.now);
        assert!(verdict.await.unwrap().is_err());
        verifier.flush().await.unwrap();
        assert_eq!(read(fixture, &scope, &key).await, key);
    })
    .await;
}

#[tokio::test]
async fn p54_uses_that_could_not_be_written_are_written_later() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let IssuedKey { key, secret } = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        judge(&verifier, &secret, fixture.now).await.unwrap();
        fixture
            .execute("ALTER TABLE api_keys RENAME TO away", [])
            .await
            .unwrap();
        verifier.flush().await.unwrap_err();
        fixture
            .execute("ALTER TABLE away RENAME TO api_keys", [])
            .await
            .unwrap();
        assert_eq!(read(fixture, &scope, &key).await.last_used_at, None);
        verifier.flush().await.unwrap();
        let used = read(fixture, &scope, &key).await;
        assert_eq!(used.last_used_at, Some(fixture.now));
    })
    .await;
}

#[tokio::test]
async fn an_unavailable_database_is_an_error_and_no_verdict() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let secret = issue(fixture, &scope, &group, "ERP").await.secret;
        let verifier = Verifier::new(fixture.store.clone());
        fixture
            .execute("ALTER TABLE api_keys RENAME TO away", [])
            .await
            .unwrap();
        let verdict = verifier.verify(secret.expose(), client("192.0.2.7"), None, fixture.now);
        verdict.await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn verification_checks_the_tenant_that_owns_the_key() {
    on_every_database(async |fixture| {
        let (acme, globex) = (fixture.tenant("acme").await, fixture.tenant("globex").await);
        let group = fixture.group(&acme, "Ordering", &["orders:read"]).await;
        let good = issue(fixture, &acme, &group, "ERP").await;
        let revoked = issue(fixture, &acme, &group, "Old").await;
        let keys = fixture.store.keys(&acme);
        keys.revoke(revoked.key.id, fixture.now).await.unwrap();
        let verifier = Verifier::new(fixture.store.clone());
        let missing = "orders:write".parse().unwrap();
        let (own, other) = (&acme.tenant().slug, &globex.tenant().slug);
        let cases = [
            (&good, Owner::Any, None, None),
            (&good, Owner::Named(own), None, None),
            (&good, Owner::Asking(acme.tenant().id), None, None),
            (&good, Owner::Named(other), None, Some(Refusal::WrongTenant)),
            (
                &good,
                Owner::Named(other),
                Some(&missing),
                Some(Refusal::WrongTenant),
            ),
            (
                &revoked,
                Owner::Named(other),
                None,
                Some(Refusal::RevokedApiKey),
            ),
            (
                &good,
                Owner::Asking(globex.tenant().id),
                None,
                Some(Refusal::InvalidApiKey),
            ),
            (
                &revoked,
                Owner::Asking(globex.tenant().id),
                None,
                Some(Refusal::InvalidApiKey),
            ),
        ];
        for (key, owner, permission, expected) in cases {
            let question = Question {
                permission,
                owner,
                ..Question::default()
            };
            let secret = Ok(key.secret.expose());
            let verdict = verifier
                .answer(question, secret, client("192.0.2.7"), fixture.now)
                .await
                .expect("a verdict");
            assert_eq!(verdict.err(), expected, "{question:?}");
        }
    })
    .await;
}
