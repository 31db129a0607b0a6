//! Settings of single sign-on that are refused, with the text of the refusal.

use domain::user::Role;

use crate::config::Config;

/// Complete settings.
const GOOD: [(&str, &str); 8] = [
    ("LATCHKEY_PUBLIC_URL", "https://keys.example"),
    (
        "LATCHKEY_OIDC_ISSUER",
        "https://login.example/realms/staff/",
    ),
    ("LATCHKEY_OIDC_CLIENT_ID", "latchkey"),
    ("LATCHKEY_OIDC_CLIENT_SECRET", "the secret"),
    (
        "LATCHKEY_OIDC_ALLOWED_DOMAINS",
        "Acme.example, münchen.example",
    ),
    ("LATCHKEY_OIDC_TENANT_CLAIM", "tenant"),
    ("LATCHKEY_OIDC_ROLE_CLAIM", "groups"),
    (
        "LATCHKEY_OIDC_ROLE_MAP",
        "CN=admins=tenant_admin, staff=member",
    ),
];

/// The complete settings with `changes`; an empty value removes one.
fn with(changes: &[(&str, &str)]) -> Result<Config, String> {
    let config = Config::from_lookup(|name| {
        let all = changes.iter().chain(&GOOD);
        let found = all.into_iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    config.map_err(|error| error.to_string())
}

#[test]
fn complete_settings_are_accepted() {
    let config = with(&[]).expect("accepted");
    assert!(config.password_sign_in);
    let settings = config.single_sign_on().expect("settings");
    // As it is written: the last slash counts.
    assert_eq!(&*settings.issuer, "https://login.example/realms/staff/");
    assert_eq!(
        settings.callback.as_str(),
        "https://keys.example/sign-in/sso/callback"
    );
    assert_eq!(
        settings.rules.allowed_domains,
        ["acme.example", "xn--mnchen-3ya.example"]
    );
    assert_eq!(
        *settings.role_map,
        [
            ("CN=admins".to_owned(), Role::TenantAdmin),
            ("staff".to_owned(), Role::Member)
        ]
    );
    assert!(!format!("{config:?}").contains("the secret"));
    let off = with(&[("LATCHKEY_PASSWORD_SIGN_IN", "off")]).expect("accepted");
    assert!(!off.password_sign_in);
    for issuer in [
        "http://127.0.0.1:8080",
        "http://[::1]:8080/x",
        "http://localhost",
    ] {
        with(&[("LATCHKEY_OIDC_ISSUER", issuer)]).expect(issuer);
    }
}

#[test]
fn contradictory_settings_are_refused_in_one_line() {
    for (changes, line) in [
        (
            &[("LATCHKEY_PUBLIC_URL", "")][..],
            "LATCHKEY_OIDC_ISSUER: it needs LATCHKEY_PUBLIC_URL",
        ),
        (
            &[("LATCHKEY_OIDC_CLIENT_ID", "")],
            "LATCHKEY_OIDC_ISSUER: it needs LATCHKEY_OIDC_CLIENT_ID",
        ),
        (
            &[("LATCHKEY_OIDC_ISSUER", "")],
            "LATCHKEY_OIDC_CLIENT_ID: it has no effect without LATCHKEY_OIDC_ISSUER",
        ),
        (
            &[("LATCHKEY_OIDC_ROLE_MAP", "")],
            "LATCHKEY_OIDC_ROLE_CLAIM: LATCHKEY_OIDC_ROLE_CLAIM and",
        ),
        (
            &[("LATCHKEY_OIDC_ROLE_CLAIM", "")],
            "LATCHKEY_OIDC_ROLE_MAP: LATCHKEY_OIDC_ROLE_CLAIM and",
        ),
        (
            &[
                ("LATCHKEY_OIDC_ROLE_CLAIM", ""),
                ("LATCHKEY_OIDC_ROLE_MAP", ""),
            ],
            "LATCHKEY_OIDC_TENANT_CLAIM: new users need a tenant and a role",
        ),
    ] {
        let refused = with(changes).expect_err(line);
        assert!(refused.starts_with(line), "{refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
    let alone = |variable: &str, value: &str| {
        let only = Config::from_lookup(|name| (name == variable).then(|| value.to_owned()));
        only.map_err(|error| error.to_string())
    };
    let off = alone("LATCHKEY_PASSWORD_SIGN_IN", "off").expect_err("no way to sign in");
    assert!(
        off.starts_with("LATCHKEY_PASSWORD_SIGN_IN: 'off' leaves no way"),
        "{off}"
    );
}

#[test]
fn invalid_values_are_refused_with_what_is_accepted() {
    for (variable, value, part) in [
        (
            "LATCHKEY_OIDC_ISSUER",
            "http://login.example",
            "is not an issuer",
        ),
        (
            "LATCHKEY_OIDC_ISSUER",
            "https://login.example/?x",
            "is not an issuer",
        ),
        (
            "LATCHKEY_OIDC_ISSUER",
            "https://u:p@login.example",
            "is not an issuer",
        ),
        ("LATCHKEY_OIDC_ISSUER", "login.example", "is not an issuer"),
        (
            "LATCHKEY_OIDC_NAME",
            "a\u{202e}b",
            "is not the text of a button",
        ),
        (
            "LATCHKEY_OIDC_NAME",
            &"x".repeat(61),
            "is not the text of a button",
        ),
        (
            "LATCHKEY_OIDC_ALLOWED_DOMAINS",
            "*.example",
            "is not a domain",
        ),
        (
            "LATCHKEY_OIDC_ALLOWED_DOMAINS",
            "@acme.example",
            "is not a domain",
        ),
        ("LATCHKEY_OIDC_ROLE_MAP", "admins", "is not an entry"),
        ("LATCHKEY_OIDC_ROLE_MAP", "=member", "is not an entry"),
        (
            "LATCHKEY_OIDC_ROLE_MAP",
            "a=owner",
            "a role is tenant_admin or member",
        ),
        (
            "LATCHKEY_OIDC_ROLE_MAP",
            "a=super_user",
            "a claim cannot make a super user",
        ),
        ("LATCHKEY_PASSWORD_SIGN_IN", "no", "is not on or off"),
    ] {
        let refused = with(&[(variable, value)]).expect_err(value);
        assert!(refused.starts_with(&format!("{variable}: ")), "{refused}");
        assert!(refused.contains(part), "{refused}");
    }
    let secret = with(&[("LATCHKEY_OIDC_CLIENT_SECRET", "hidden\nvalue")]).expect_err("two lines");
    assert!(!secret.contains("hidden"), "{secret}");
}
