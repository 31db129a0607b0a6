//! The preview of a changed allowlist.

use chrono::TimeDelta;
use domain::{
    Error,
    client_address::ClientAddress,
    key::allowlist::Allowlist,
    store::keys::{MOST_ADDRESSES, UNKNOWN},
    verify::Verifier,
};

use crate::{keys::issue, test_store::on_every_database};

#[tokio::test]
async fn a_preview_names_each_refused_address_and_its_last_day() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &["orders:read"]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let (id, now) = (key.key.id, fixture.now);
        let verifier = Verifier::new(fixture.store.clone());
        let day = |days: i64| (now - TimeDelta::days(days)).date_naive();
        for (address, days) in [
            ("192.0.2.7", 0),
            ("203.0.113.9", 0),
            ("203.0.113.9", 2),
            ("198.51.100.7", 3),
            ("198.51.100.7", 6),
            ("2001:db8::1", 1),
            // Before the days of the preview.
            ("203.0.113.200", 7),
        ] {
            let client = ClientAddress::known(address.parse().unwrap());
            let at = now - TimeDelta::days(days);
            let verdict = verifier.verify(key.secret.expose(), client, None, at).await;
            verdict.unwrap().expect("a good key");
        }
        // A refused request does not count as a use.
        let missing = "orders:write".parse().unwrap();
        let client = ClientAddress::known("203.0.113.50".parse().unwrap());
        let refused = verifier.verify(key.secret.expose(), client, Some(&missing), now);
        refused.await.unwrap().expect_err("no permission");
        verifier.flush().await.unwrap();
        let keys = fixture.store.keys(&scope);
        let preview = async |lines: &str| {
            let allowlist = Allowlist::parse_lines(lines).unwrap();
            keys.preview_allowlist(id, &allowlist, now).await.unwrap()
        };
        let shown = preview("192.0.2.0/24\n2001:db8::/32").await;
        assert_eq!((shown.first_day, shown.last_day), (day(6), day(0)));
        assert_eq!((shown.addresses, shown.other_requests), (4, 0));
        let refused: Vec<_> = (shown.refused.iter())
            .map(|address| (address.ip.as_str(), address.last_date))
            .collect();
        assert_eq!(refused, [("203.0.113.9", day(0)), ("198.51.100.7", day(3))]);
        assert_eq!(preview("").await.refused, []);
        assert_eq!(preview("0.0.0.0/0\n::/0").await.refused, []);

        // Every list except the empty one refuses a client whose address is unknown.
        let unknown = verifier.verify(key.secret.expose(), ClientAddress::Unknown, None, now);
        unknown.await.unwrap().expect("a good key");
        verifier.flush().await.unwrap();
        let shown = preview("0.0.0.0/0\n::/0").await;
        assert_eq!((shown.addresses, shown.refused.len()), (5, 1));
        assert_eq!(shown.refused[0].ip, UNKNOWN);
        assert_eq!(preview("").await.refused, []);

        let other = fixture.tenant("globex").await;
        let foreign = fixture.store.keys(&other);
        let foreign = foreign
            .preview_allowlist(id, &Allowlist::default(), now)
            .await;
        assert!(matches!(foreign, Err(Error::NotFound(_))), "{foreign:?}");
    })
    .await;
}

#[tokio::test]
async fn a_preview_counts_the_requests_that_it_cannot_judge() {
    on_every_database(async |fixture| {
        let scope = fixture.tenant("acme").await;
        let group = fixture.group(&scope, "Ordering", &[]).await;
        let key = issue(fixture, &scope, &group, "ERP").await;
        let verifier = Verifier::new(fixture.store.clone());
        for number in 0..MOST_ADDRESSES + 3 {
            let address = format!("192.0.2.{number}").parse().unwrap();
            let client = ClientAddress::known(address);
            let verdict = verifier
                .verify(key.secret.expose(), client, None, fixture.now)
                .await;
            verdict.unwrap().expect("a good key");
        }
        verifier.flush().await.unwrap();
        let allowlist = Allowlist::parse_lines("198.51.100.0/24").unwrap();
        let keys = fixture.store.keys(&scope);
        let preview = keys
            .preview_allowlist(key.key.id, &allowlist, fixture.now)
            .await
            .unwrap();
        assert_eq!(preview.addresses, u64::from(MOST_ADDRESSES));
        assert_eq!(preview.refused.len(), MOST_ADDRESSES as usize);
        assert_eq!(preview.other_requests, 3);
    })
    .await;
}
