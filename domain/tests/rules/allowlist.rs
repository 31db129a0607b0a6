use domain::{
    client_address::ClientAddress,
    key::allowlist::{Allowlist, InvalidAllowlist},
    network::parse_network,
};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn canonical(entry: &str) -> Option<String> {
    parse_network(entry).map(|network| network.to_string())
}

fn list(lines: &str) -> Allowlist {
    Allowlist::parse_lines(lines).expect("a good list")
}

fn client(address: &str) -> ClientAddress {
    ClientAddress::known(address.parse().expect("an address"))
}

#[test]
fn p36_entries_are_returned_in_canonical_form() {
    for (entry, expected) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("::/0", "::/0"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
    ] {
        assert_eq!(canonical(entry).as_deref(), Some(expected), "{entry}");
    }
}

#[test]
fn p36_ambiguous_spellings_are_refused() {
    for entry in [
        "010.0.0.0/8",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "10/8",
        "10.0.0.0/255.0.0.0",
        "0x0a.0.0.0/8",
        "167772160/8",
        "fe80::1%eth0/64",
        "[2001:db8::]/32",
        "2001:db8:::/32",
        "2001:db8::/129",
        "１０.0.0.0/8",
        "10.0.0.0/８",
        "10.0.0.0\0",
        "localhost",
        "example.com/8",
        "10.0.0.0/8/8",
        "10.0.0.0 /8",
        "10.0.0.0/00",
        "/8",
        "",
        "10.0.0.0/008",
        "1.2.3",
        "::ffff:10.0.0.0/129",
    ] {
        assert_eq!(canonical(entry), None, "{entry:?}");
    }
}

#[test]
fn p36_each_error_quotes_line_number_and_text() {
    let errors = Allowlist::parse_lines("10.0.0.0/8\n\n10.0.0.0/33\r\n  192.0.2.1  \nlocalhost")
        .expect_err("two bad lines");
    let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "Line 3: '10.0.0.0/33' is not an IP address or CIDR range",
            "Line 5: 'localhost' is not an IP address or CIDR range",
        ]
    );
}

#[test]
fn p36_a_quoted_line_is_shortened_and_escaped() {
    let errors = Allowlist::parse_lines(&format!("\u{202E}\0{}", "x".repeat(10_000)))
        .expect_err("a bad line");
    let message = errors[0].to_string();
    assert!(
        message.len() < 300 && !message.contains(['\0', '\u{202E}']),
        "{message:?}"
    );
}

#[test]
fn c12_invisible_characters_are_trimmed_or_shown_escaped() {
    let pasted =
        "\u{200b}10.0.0.1\u{feff}\n\u{a0}10.0.0.2\u{2060}\n\u{200b}\n\u{202a}10.0.0.3\u{202c}";
    assert_eq!(
        list(pasted).to_lines(),
        "10.0.0.1/32\n10.0.0.2/32\n10.0.0.3/32"
    );
    for (line, shown) in [
        ("10.0.\u{200b}0.1", "10.0.\\u{200b}0.1"),
        ("10.0.0.0\u{a0}/8", "10.0.0.0\\u{a0}/8"),
        ("10.0.0.1\u{ad}x", "10.0.0.1\\u{ad}x"),
        ("10.0.0.1 x", "10.0.0.1 x"),
    ] {
        let errors = Allowlist::parse_lines(line).expect_err("a bad line");
        assert_eq!(
            errors[0].to_string(),
            format!("Line 1: '{shown}' is not an IP address or CIDR range")
        );
    }
}

#[test]
fn p36_at_most_a_thousand_entries_and_duplicates_are_merged() {
    let lines = |count: u32| {
        (0..count)
            .map(|n| Ipv4Addr::from(n).to_string())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(list(&lines(1_000)).networks().len(), 1_000);
    assert!(
        Allowlist::parse_lines(&lines(1_001))
            .expect_err("too many")
            .contains(&InvalidAllowlist::TooMany)
    );
    assert_eq!(
        InvalidAllowlist::TooMany.to_string(),
        "Must be at most 1,000 entries"
    );
    assert_eq!(
        list("10.1.2.3/8\n10.0.0.0/8\n::ffff:10.0.0.0/104").to_lines(),
        "10.0.0.0/8"
    );
}

#[test]
fn p36_a_thousand_invalid_lines_give_no_message_about_the_number() {
    let invalid = |count: usize| vec!["no address"; count].join("\n");
    let of_a_thousand = Allowlist::parse_lines(&invalid(1_000)).expect_err("invalid");
    assert_eq!(of_a_thousand.len(), 1_000);
    assert!(!of_a_thousand.contains(&InvalidAllowlist::TooMany));
    // One entry more is too many, and the rest is not read.
    let of_more = Allowlist::parse_lines(&invalid(5_000)).expect_err("invalid");
    assert_eq!(of_more.len(), 1_002);
    assert_eq!(of_more.last(), Some(&InvalidAllowlist::TooMany));
}

#[test]
fn p36_a_range_that_admits_every_address_gives_a_warning() {
    assert_eq!(
        list("0.0.0.0/0\n::/0\n10.0.0.0/8").warnings(),
        [
            "0.0.0.0/0 admits every IPv4 address.",
            "::/0 admits every IPv6 address."
        ]
    );
}

#[test]
fn p37_a_network_admits_its_first_and_last_address_and_no_neighbour() {
    for (network, inside, outside) in [
        ("0.0.0.0/0", vec!["0.0.0.0", "255.255.255.255"], vec![]),
        (
            "128.0.0.0/1",
            vec!["128.0.0.0", "255.255.255.255"],
            vec!["127.255.255.255"],
        ),
        (
            "10.0.0.0/8",
            vec!["10.0.0.0", "10.255.255.255"],
            vec!["9.255.255.255", "11.0.0.0"],
        ),
        (
            "192.0.2.6/31",
            vec!["192.0.2.6", "192.0.2.7"],
            vec!["192.0.2.5", "192.0.2.8"],
        ),
        (
            "192.0.2.7/32",
            vec!["192.0.2.7"],
            vec!["192.0.2.6", "192.0.2.8"],
        ),
        (
            "2001:db8::/64",
            vec!["2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"],
            vec!["2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:0:1::"],
        ),
        (
            "2001:db8::2/127",
            vec!["2001:db8::2", "2001:db8::3"],
            vec!["2001:db8::1", "2001:db8::4"],
        ),
        (
            "2001:db8::2/128",
            vec!["2001:db8::2"],
            vec!["2001:db8::1", "2001:db8::3"],
        ),
    ] {
        let list = list(network);
        for address in inside {
            assert!(list.admits(client(address)), "{address} in {network}");
        }
        for address in outside {
            assert!(!list.admits(client(address)), "{address} not in {network}");
        }
    }
}

#[test]
fn p37_ipv4_and_ipv6_never_match_and_mapped_addresses_are_ipv4() {
    assert!(list("10.0.0.0/8").admits(client("::ffff:10.1.2.3")));
    assert!(!list("0.0.0.0/0").admits(client("2001:db8::1")));
    assert!(!list("::/0").admits(client("10.1.2.3")));
    assert!(!list("::/0").admits(client("::ffff:10.1.2.3")));
}

#[test]
fn p37_the_empty_list_admits_every_client_and_no_other_list_an_unknown_one() {
    assert!(list(" \n\n").admits(client("203.0.113.9")));
    assert!(list("").admits(ClientAddress::Unknown));
    assert!(!list("0.0.0.0/0\n::/0").admits(ClientAddress::Unknown));
}

proptest! {
    #[test]
    fn parsing_never_panics_and_the_canonical_form_is_stable(entry in "\\PC{0,40}") {
        if let Some(network) = canonical(&entry) {
            prop_assert_eq!(canonical(&network), Some(network));
        }
    }

    #[test]
    fn an_ipv4_range_admits_exactly_the_addresses_that_share_its_prefix(base: u32, address: u32, prefix in 0_u32..=32) {
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        let list = list(&format!("{}/{prefix}", Ipv4Addr::from(base)));
        let client = ClientAddress::known(IpAddr::V4(Ipv4Addr::from(address)));
        prop_assert_eq!(list.admits(client), base & mask == address & mask);
        let mapped = ClientAddress::known(IpAddr::V6(Ipv4Addr::from(address).to_ipv6_mapped()));
        prop_assert_eq!(list.admits(mapped), base & mask == address & mask);
    }

    #[test]
    fn an_ipv6_range_admits_exactly_the_addresses_that_share_its_prefix(base: u128, address: u128, prefix in 0_u32..=128) {
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        prop_assume!(Ipv6Addr::from(base).to_ipv4_mapped().is_none() && Ipv6Addr::from(address).to_ipv4_mapped().is_none());
        let list = list(&format!("{}/{prefix}", Ipv6Addr::from(base)));
        let client = ClientAddress::known(IpAddr::V6(Ipv6Addr::from(address)));
        prop_assert_eq!(list.admits(client), base & mask == address & mask);
    }

    #[test]
    fn a_list_round_trips_through_text_and_json(addresses in proptest::collection::vec((any::<u32>(), 0_u8..=32), 0..20)) {
        let lines: Vec<String> = addresses.iter().map(|(address, prefix)| format!("{}/{prefix}", Ipv4Addr::from(*address))).collect();
        let list = list(&lines.join("\n"));
        prop_assert_eq!(&Allowlist::parse_lines(&list.to_lines()).expect("its own text"), &list);
        let json = serde_json::to_string(&list).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<Allowlist>(&json).expect("its own JSON"), &list);
    }
}
