//! A verdict on a cached key allocates no memory.

#[path = "support/test_store.rs"]
#[expect(
    dead_code,
    reason = "shared with the store's tests; this test uses a part of it"
)]
mod test_store;

use domain::{
    client_address::ClientAddress,
    key::{NewKey, allowlist::Allowlist},
    permission::Permission,
    security_policy::SecurityPolicyChanges,
    store::{Store, StoreOptions},
    verify::{VerifiedKey, Verifier},
};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};
use test_store::TestStore;

/// Runs a future that must complete without waiting.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the check waits for the database"),
    }
}

#[tokio::test]
async fn a_verdict_from_memory_allocates_nothing() {
    let fixture = TestStore::on_sqlite().await;
    let scope = fixture.tenant("acme").await;
    let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
    let lines: String = (0..50).map(|n| format!("10.{n}.0.0/16\n")).collect();
    let new = NewKey {
        name: "ERP".parse().unwrap(),
        description: "".parse().unwrap(),
        group_id: group.id,
        expires_on: Some("2026-12-31".parse().unwrap()),
        allowlist: Allowlist::parse_lines(&lines).unwrap(),
    };
    let key = fixture.store.keys(&scope).create(new, fixture.now).await;
    let tenant_lines = "10.0.0.0/8\n203.0.113.0/24\n2001:db8::/32";
    let policy = SecurityPolicyChanges {
        ip_allowlist: Some(Allowlist::parse_lines(tenant_lines).unwrap()),
        ..SecurityPolicyChanges::default()
    };
    let policies = fixture.store.security_policy(&scope);
    policies.change(policy, None, fixture.now).await.unwrap();
    let secret = key.unwrap().secret;
    let server = Store::open(StoreOptions {
        serves: true,
        ..fixture.options()
    });
    let verifier = Verifier::new(server.await.unwrap());
    let permission: Permission = "orders:read".parse().unwrap();
    let inside = ClientAddress::known("10.49.1.2".parse().unwrap());
    let outside = ClientAddress::known("10.50.1.2".parse().unwrap());
    let outside_tenant = ClientAddress::known("192.0.2.1".parse().unwrap());
    let verify = |client| {
        let work = verifier.verify(secret.expose(), client, Some(&permission), fixture.now);
        async move { work.await.unwrap() }
    };
    // The first verification loads the key, and the first of each outcome creates its counter.
    verify(inside).await.unwrap();
    verify(outside).await.unwrap_err();
    verify(outside_tenant).await.unwrap_err();

    let is_accepted = |verdict: Result<VerifiedKey, _>| verdict.is_ok();
    let accepted = allocation_counter::measure(|| {
        assert!((0..100).all(|_| is_accepted(at_once(verify(inside)))));
    });
    let refused = allocation_counter::measure(|| {
        assert!((0..100).all(|_| !is_accepted(at_once(verify(outside)))));
    });
    let refused_by_tenant = allocation_counter::measure(|| {
        assert!((0..100).all(|_| !is_accepted(at_once(verify(outside_tenant)))));
    });
    let counts = [accepted, refused, refused_by_tenant].map(|measured| measured.count_total);
    assert_eq!(counts, [0; 3]);
}
