//! The form of a security policy.

use domain::{
    client_address::ClientAddress,
    key::allowlist::Allowlist,
    security_policy::{SecurityPolicyChanges, form::SecurityPolicyForm},
};

fn form(max: &str, default: &str, lines: &str) -> SecurityPolicyForm {
    SecurityPolicyForm {
        expiration_required: true,
        max_lifetime_days: max.to_owned(),
        default_lifetime_days: default.to_owned(),
        ip_allowlist: lines.to_owned(),
        second_factor_required: false,
    }
}

#[test]
fn a_form_becomes_a_policy_and_back() {
    let policy = form(" 180 ", "90", "203.0.113.1/24\n\n2001:DB8::/32");
    let policy = policy.validate().expect("a good form");
    assert_eq!(policy.max_lifetime_days.map(u32::from), Some(180));
    assert_eq!(policy.default_lifetime_days.map(u32::from), Some(90));
    let again = SecurityPolicyForm::of(&policy);
    assert_eq!(again, form("180", "90", "203.0.113.0/24\n2001:db8::/32"));
    let unchanged = SecurityPolicyChanges::default().applied_to(&policy);
    assert_eq!(unchanged, policy);
    assert_eq!(
        form("", "", "").validate().expect("good").max_lifetime_days,
        None
    );
}

#[test]
fn every_broken_rule_is_reported_with_its_field() {
    let errors = |form: SecurityPolicyForm| -> Vec<(String, String)> {
        let errors = form.validate().expect_err("a bad form").into_iter();
        errors.map(|error| (error.field, error.message)).collect()
    };
    let pair = |field: &str, message: &str| (field.to_owned(), message.to_owned());
    let number = "Must be a whole number from 1 to 3,650";
    assert_eq!(
        errors(form("0", "many", "10.0.0.0/33\nhost")),
        [
            pair("max_lifetime_days", number),
            pair("default_lifetime_days", number),
            pair(
                "ip_allowlist",
                "Line 1: '10.0.0.0/33' is not an IP address or CIDR range"
            ),
            pair(
                "ip_allowlist",
                "Line 2: 'host' is not an IP address or CIDR range"
            ),
        ]
    );
    assert_eq!(
        errors(form("180", "200", "")),
        [pair(
            "default_lifetime_days",
            "Must be at most the longest lifetime, 180"
        )]
    );
}

#[test]
fn the_line_that_admits_an_address_is_named() {
    let client = |text: &str| ClientAddress::known(text.parse().expect("an address"));
    let lines = "203.0.113.0/24\n\nnot a line\n198.51.100.0/28\n0.0.0.0/0";
    let line = |text: &str| Allowlist::line_that_admits(lines, client(text));
    assert_eq!(line("198.51.100.7"), Some(4));
    assert_eq!(line("::ffff:203.0.113.9"), Some(1));
    assert_eq!(line("192.0.2.1"), Some(5));
    assert_eq!(line("2001:db8::1"), None);
    assert_eq!(Allowlist::line_that_admits("", client("192.0.2.1")), None);
    let unknown = Allowlist::line_that_admits(lines, ClientAddress::Unknown);
    assert_eq!(unknown, None);
}
