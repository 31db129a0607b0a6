//! The cost of verifying one request: `cargo bench -p domain --features bench`.
//!
//! `check` is the whole cost of a request; the other benchmarks measure parts of it.

#[path = "../tests/support/test_store.rs"]
#[expect(
    dead_code,
    reason = "shared with the store's tests; the benchmark uses a part of it"
)]
mod test_store;

use chrono::{DateTime, Utc};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use domain::{
    client_address::ClientAddress,
    key::{
        NewKey,
        allowlist::{Addresses, Allowlist},
        format::Secret,
        verdict::{Grant, decide},
    },
    permission::{Permission, PermissionSet},
    store::{Store, StoreOptions},
    verify::Verifier,
};
use sha2::{Digest, Sha256};
use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};
use test_store::TestStore;
use tokio::runtime::Runtime;

/// The cache size in bytes, large enough for every key of these benchmarks.
const ROOM: u64 = 8 * 1024 * 1024 * 1024;

fn permission() -> Permission {
    "orders:read".parse().expect("a permission")
}

fn networks(count: usize) -> Allowlist {
    let lines: String = (0..count)
        .map(|n| format!("10.{}.{}.0/24\n", n / 250, n % 250))
        .collect();
    Allowlist::parse_lines(&lines).expect("a list")
}

/// An address in the last network of the list.
fn client(count: usize) -> ClientAddress {
    let last = count.saturating_sub(1);
    let address = format!("10.{}.{}.7", last / 250, last % 250);
    ClientAddress::known(address.parse().expect("an address"))
}

fn now() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

/// Runs a future that must complete without waiting.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the check waits for the database"),
    }
}

/// A verifier with one cached key and `copies` copies of it under other digests.
fn verifier(runtime: &Runtime, count: usize, copies: u32) -> (Verifier, Secret) {
    runtime.block_on(async {
        let fixture = TestStore::on_sqlite().await;
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let new = NewKey {
            name: "ERP".parse().expect("a name"),
            description: "".parse().expect("a description"),
            group_id: group.id,
            expires_on: Some("2026-12-31".parse().expect("a date")),
            allowlist: networks(count),
        };
        let key = fixture.store.keys(&scope).create(new, now()).await;
        let secret = key.expect("a key").secret;
        let options = StoreOptions {
            serves: true,
            ..fixture.options()
        };
        let server = Store::open(options).await.expect("a store");
        let verifier = Verifier::with_room_for(server, ROOM);
        let kept = verifier.keep_copies(secret.expose(), copies, now()).await;
        kept.expect("kept");
        check(&verifier, &secret, count).await;
        assert_eq!(verifier.cached_keys(), copies as usize + 1);
        (verifier, secret)
    })
}

/// Verifies one request, from the text of the header to the counted verdict.
async fn check(verifier: &Verifier, secret: &Secret, count: usize) {
    let permission = permission();
    let verdict = verifier
        .verify(secret.expose(), client(count), Some(&permission), now())
        .await;
    black_box(verdict.expect("a verdict").expect("a good key"));
}

fn parts(criterion: &mut Criterion) {
    let fill = |bytes: &mut [u8]| {
        bytes.fill(7);
        Ok::<_, std::convert::Infallible>(())
    };
    let secret = Secret::generate(&"lk".parse().expect("a prefix"), fill).expect("a secret");
    criterion.bench_function("form and checksum", |bencher| {
        bencher.iter(|| Secret::is_well_formed(black_box(secret.expose())));
    });
    criterion.bench_function("digest", |bencher| {
        bencher.iter(|| Sha256::digest(black_box(secret.expose().as_bytes())));
    });
    let mut group = criterion.benchmark_group("verdict, by networks");
    for count in [0, 1, 50, 1_000] {
        let grant = Grant {
            revoked: false,
            expires_on: Some("2026-12-31".parse().expect("a date")),
            tenant_suspended: false,
            addresses: Addresses::from(&networks(count)),
            permissions: PermissionSet::new([permission()]).expect("a small set"),
        };
        let (permission, client) = (permission(), client(count));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| decide(black_box(&grant), client, Some(&permission), now()));
        });
    }
    group.finish();
}

fn whole(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("check, 50 networks, by keys in memory");
    for keys in [1, 1_000, 1_000_000] {
        let (verifier, secret) = verifier(&runtime, 50, keys - 1);
        group.bench_function(BenchmarkId::from_parameter(keys), |bencher| {
            bencher.iter(|| at_once(check(&verifier, black_box(&secret), 50)));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("check, by networks");
    for count in [0, 1, 50, 1_000] {
        let (verifier, secret) = verifier(&runtime, count, 0);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| at_once(check(&verifier, black_box(&secret), count)));
        });
    }
    group.finish();
}

criterion_group!(benches, parts, whole);
criterion_main!(benches);
