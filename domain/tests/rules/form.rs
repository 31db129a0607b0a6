use chrono::NaiveDate;
use domain::key::{form::KeyForm, lifetime::LifetimeRule};

fn today() -> NaiveDate {
    "2026-11-25".parse().expect("a date")
}

fn good() -> KeyForm {
    KeyForm {
        name: "ERP nightly sync".into(),
        description: String::new(),
        authorization_group_id: "01931f3c-7e31-7c3e-9f0a-0123456789ab".into(),
        expires_on: "2027-01-31".into(),
        ip_allowlist: "10.1.2.3/8\n".into(),
    }
}

#[test]
fn a_valid_form_becomes_a_key() {
    let key = good()
        .validate(LifetimeRule::default(), today())
        .expect("a good form");
    assert_eq!(key.name.as_str(), "ERP nightly sync");
    assert_eq!(key.allowlist.to_lines(), "10.0.0.0/8");
}

#[test]
fn an_invalid_form_reports_every_error_at_once() {
    let form = KeyForm {
        name: " x ".into(),
        description: "d".repeat(1_001),
        authorization_group_id: String::new(),
        expires_on: "2026-11-25".into(),
        ip_allowlist: "10.0.0.0/8\n\n10.0.0.0/33\nlocalhost".into(),
    };
    let errors: Vec<(String, String)> = form
        .validate(LifetimeRule::default(), today())
        .expect_err("a bad form")
        .into_iter()
        .map(|error| (error.field, error.message))
        .collect();
    let expected = [
        ("name", "Must be 2–200 characters"),
        ("description", "Must be at most 1,000 characters"),
        ("authorization_group_id", "Choose an authorization group"),
        ("expires_on", "Must be a future date"),
        (
            "ip_allowlist",
            "Line 3: '10.0.0.0/33' is not an IP address or CIDR range",
        ),
        (
            "ip_allowlist",
            "Line 4: 'localhost' is not an IP address or CIDR range",
        ),
    ];
    assert_eq!(
        errors,
        expected.map(|(field, message)| (field.to_owned(), message.to_owned()))
    );
}

#[test]
fn an_edit_takes_every_field_except_the_date() {
    let form = KeyForm {
        expires_on: "2020-01-01".into(),
        ..good()
    };
    let changes = form.validate_edit().expect("a good form");
    let new = good()
        .validate(LifetimeRule::default(), today())
        .expect("a good form");
    assert_eq!(changes.name, Some(new.name));
    assert_eq!(changes.description, Some(new.description));
    assert_eq!(changes.group_id, Some(new.group_id));
    assert_eq!(changes.allowlist, Some(new.allowlist));
}

#[test]
fn an_invalid_edit_reports_the_same_messages() {
    let form = KeyForm {
        name: " x ".into(),
        description: "d".repeat(1_001),
        authorization_group_id: String::new(),
        expires_on: "tomorrow".into(),
        ip_allowlist: "localhost\n10.0.0.0/33".into(),
    };
    let mut of_a_new_key = form
        .validate(LifetimeRule::default(), today())
        .expect_err("a bad form");
    of_a_new_key.retain(|error| error.field != "expires_on");
    assert_eq!(form.validate_edit().expect_err("a bad form"), of_a_new_key);
}

#[test]
fn errors_of_one_field_exclude_other_fields() {
    let form = KeyForm {
        name: "x".into(),
        ..good()
    };
    let errors = form
        .validate(LifetimeRule::default(), today())
        .expect_err("a bad form");
    let errors_of = |field: &str| -> Vec<&str> {
        let of_field = errors.iter().filter(|error| error.field == field);
        of_field.map(|error| error.message.as_str()).collect()
    };
    assert_eq!(errors_of("name"), ["Must be 2–200 characters"]);
    assert!(errors_of("expires_on").is_empty());
}
