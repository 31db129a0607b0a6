use domain::client_address::{ClientAddress, TrustedProxies, client_address};
use proptest::prelude::*;
use std::net::IpAddr;

fn seen(peer: &str, lines: &[&str], trusted: &str) -> ClientAddress {
    let trusted: TrustedProxies = trusted.parse().expect("networks");
    client_address(
        peer.parse().expect("an address"),
        lines.iter().map(|line| line.as_bytes()),
        &trusted,
    )
}

fn known(address: &str) -> ClientAddress {
    ClientAddress::Known(address.parse().expect("an address"))
}

#[test]
fn p38_without_trusted_proxies_the_header_has_no_effect() {
    assert_eq!(seen("203.0.113.9", &["10.0.0.1"], ""), known("203.0.113.9"));
    assert_eq!(seen("::ffff:203.0.113.9", &[], ""), known("203.0.113.9"));
    assert_eq!(
        seen("203.0.113.9", &["10.0.0.1"], "192.0.2.0/24"),
        known("203.0.113.9")
    );
}

#[test]
fn p38_the_right_most_untrusted_address_over_all_lines_wins() {
    let trusted = "192.0.2.0/24, 2001:db8:ffff::/48";
    for (lines, expected) in [
        (vec!["198.51.100.7"], "198.51.100.7"),
        (vec!["10.9.9.9, 198.51.100.7"], "198.51.100.7"),
        (vec!["10.9.9.9", "198.51.100.7"], "198.51.100.7"),
        (
            vec!["10.9.9.9, 198.51.100.7", "192.0.2.5, 192.0.2.6"],
            "198.51.100.7",
        ),
        (vec!["198.51.100.7:4711"], "198.51.100.7"),
        (vec!["[2001:db8::7]:4711"], "2001:db8::7"),
        (vec!["[2001:db8::7]"], "2001:db8::7"),
        (vec!["2001:db8::7"], "2001:db8::7"),
        (vec!["::ffff:198.51.100.7"], "198.51.100.7"),
        (vec!["198.51.100.7,::ffff:192.0.2.9"], "198.51.100.7"),
    ] {
        assert_eq!(
            seen("192.0.2.1", &lines, trusted),
            known(expected),
            "{lines:?}"
        );
        assert_eq!(
            seen("::ffff:192.0.2.1", &lines, trusted),
            known(expected),
            "mapped peer, {lines:?}"
        );
    }
}

#[test]
fn p38_an_unusable_forwarded_address_makes_the_client_unknown() {
    for lines in [
        vec![],
        vec![""],
        vec!["192.0.2.5"],
        vec!["unknown"],
        vec!["198.51.100.7, unknown"],
        vec!["198.51.100.7, "],
        vec!["198.51.100.7", ""],
        vec!["198.51.100.7 192.0.2.5"],
        vec!["_hidden"],
        vec!["198.51.100.007"],
    ] {
        assert_eq!(
            seen("192.0.2.1", &lines, "192.0.2.0/24"),
            ClientAddress::Unknown,
            "{lines:?}"
        );
    }
}

#[test]
fn p13_the_throttle_counts_an_ipv6_slash_64_as_one_client() {
    let key =
        |address: &str| ClientAddress::known(address.parse().expect("an address")).throttle_key();
    assert_eq!(key("2001:db8:1:2:3:4:5:6"), key("2001:db8:1:2::"));
    assert_ne!(key("2001:db8:1:2::"), key("2001:db8:1:3::"));
    assert_eq!(key("::ffff:1.2.3.4"), key("1.2.3.4"));
    assert_ne!(key("1.2.3.4"), key("1.2.3.5"));
}

#[test]
fn a_proxy_list_with_an_invalid_entry_is_refused() {
    assert!("10.0.0.0/8,proxy".parse::<TrustedProxies>().is_err());
    assert!("10.0.0.0/8, ::1".parse::<TrustedProxies>().is_ok());
}

proptest! {
    #[test]
    fn prepended_addresses_never_win(prepended in "[ -~]{0,60}", real: u32) {
        let real = IpAddr::from(std::net::Ipv4Addr::from(real));
        let trusted: TrustedProxies = "192.0.2.0/24".parse().expect("networks");
        prop_assume!(!trusted.contains(real));
        let line = format!("{prepended}, {real}");
        prop_assert_eq!(seen("192.0.2.1", &[&line], "192.0.2.0/24"), ClientAddress::Known(real));
        let appended = real.to_string();
        prop_assert_eq!(seen("192.0.2.1", &[&prepended, &appended], "192.0.2.0/24"), ClientAddress::Known(real));
    }
}
