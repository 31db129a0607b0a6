use chrono::NaiveDate;
use domain::{
    Error,
    client_address::ClientAddress,
    id::KeyId,
    key::{
        allowlist::Allowlist,
        own_grant::{OwnGrant, Reach},
    },
    permission::PermissionSet,
};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use uuid::Uuid;

fn id(number: u128) -> KeyId {
    Uuid::from_u128(number).into()
}

fn reach(permissions: &[&str], expires_on: Option<&str>, allowlist: &str) -> Reach {
    let permissions = permissions.iter().map(|text| text.parse().expect("good"));
    let date = |text: &str| text.parse::<NaiveDate>().expect("a date").into();
    Reach {
        permissions: PermissionSet::new(permissions).expect("few"),
        expires_on: expires_on.map(date),
        allowlist: Allowlist::parse_lines(allowlist).expect("a good list"),
    }
}

#[test]
fn p28_a_key_grants_no_wider_permissions_expiry_or_addresses() {
    let own = reach(
        &["a:b", "c:d"],
        Some("2031-06-30"),
        "10.0.0.0/8\n2001:db8::/32",
    );
    let cases = [
        (
            reach(&["a:b", "c:d"], Some("2031-06-30"), "10.0.0.0/8"),
            true,
        ),
        (reach(&[], Some("2001-01-01"), "2001:db8:7::1"), true),
        (reach(&["a:c"], Some("2031-06-30"), "10.0.0.0/8"), false),
        (reach(&["a:b"], Some("2031-07-01"), "10.0.0.0/8"), false),
        (reach(&["a:b"], None, "10.0.0.0/8"), false),
        (reach(&["a:b"], Some("2031-06-30"), ""), false),
        (reach(&["a:b"], Some("2031-06-30"), "10.0.0.0/7"), false),
        (
            reach(&["a:b"], Some("2031-06-30"), "10.0.0.1\n11.0.0.1"),
            false,
        ),
        (reach(&["a:b"], Some("2031-06-30"), "::/0"), false),
    ];
    for (other, covered) in cases {
        assert_eq!(own.covers(&other), covered, "{other:?}");
    }
    let unlimited = reach(&["a:b"], None, "");
    assert!(unlimited.covers(&reach(&["a:b"], None, "")));
    assert!(unlimited.covers(&reach(&[], Some("2031-01-01"), "0.0.0.0/0")));
    // A list of every range is narrower than the empty list: only the empty list admits an unknown client.
    assert!(!reach(&[], None, "0.0.0.0/0\n::/0").covers(&reach(&[], None, "")));
}

#[test]
fn p28_the_current_grant_is_checked_too_and_no_key_changes_itself() {
    let own = OwnGrant {
        id: id(1),
        reach: reach(&["a:b"], None, ""),
    };
    let (less, more) = (reach(&[], None, ""), reach(&["c:d"], None, ""));
    assert!(own.check_changed(id(2), &less, &less).is_ok());
    for (target, before, after) in [
        (id(1), &less, &less),
        (id(2), &more, &less),
        (id(2), &less, &more),
    ] {
        let refused = own.check_changed(target, before, after);
        assert!(matches!(refused, Err(Error::ExceedsOwnGrant)));
    }
}

/// A list of ranges within 10.0.0.0/24, so that a test can check every address.
fn small_list() -> impl Strategy<Value = Allowlist> {
    proptest::collection::vec((any::<u8>(), 24_u8..=32), 0..6).prop_map(|ranges| {
        let lines: Vec<_> = ranges
            .iter()
            .map(|(last, prefix)| format!("10.0.0.{last}/{prefix}"))
            .collect();
        Allowlist::parse_lines(&lines.join("\n")).expect("a good list")
    })
}

proptest! {
    #[test]
    fn an_allowlist_covers_another_exactly_if_it_admits_all_its_addresses(own in small_list(), other in small_list()) {
        let everybody = (0..=u8::MAX)
            .map(|last| ClientAddress::known(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))))
            .chain([ClientAddress::Unknown]);
        let admits_all = everybody
            .filter(|client| other.admits(*client))
            .all(|client| own.admits(client));
        prop_assert_eq!(own.covers(&other), admits_all);
    }
}
