//! `latchkey user link-sso`, and settings of single sign-on at the start.

use super::with_acme;
use crate::support::setup::ADMIN;

const ISSUER: &str = "https://login.example/realms/staff";

#[test]
fn link_sso_links_a_user_and_needs_the_issuer() {
    let latchkey = with_acme();
    latchkey.create_administrator("acme", ADMIN);
    let link = ["user", "link-sso", ADMIN, "--subject", "248289761001"];
    latchkey
        .run(&link)
        .expect_failure(&["LATCHKEY_OIDC_ISSUER is not set"]);
    let latchkey = latchkey
        .with("LATCHKEY_OIDC_ISSUER", ISSUER)
        .with("LATCHKEY_OIDC_CLIENT_ID", "latchkey")
        .with("LATCHKEY_PUBLIC_URL", "https://keys.example");
    let linked = latchkey.run_json(&link);
    assert_eq!(
        (&linked["email"], &linked["tenant"]),
        (&ADMIN.into(), &"acme".into())
    );
    let unknown = ["user", "link-sso", "no@acme.example", "--subject", "1"];
    latchkey
        .run(&unknown)
        .expect_failure(&["there is no user 'no@acme.example'"]);
    latchkey.create_administrator("acme", "joe@acme.example");
    let taken = [
        "user",
        "link-sso",
        "joe@acme.example",
        "--subject",
        "248289761001",
    ];
    latchkey
        .run(&taken)
        .expect_failure(&["a link of the subject '248289761001' exists already"]);
    let empty = ["user", "link-sso", ADMIN, "--subject", ""];
    assert_eq!(latchkey.run(&empty).code, Some(1));
}

#[test]
fn contradictory_settings_of_single_sign_on_prevent_the_start() {
    let latchkey = with_acme().with("LATCHKEY_OIDC_ISSUER", ISSUER);
    let run = latchkey.run(&["serve"]);
    assert_eq!(run.code, Some(2));
    assert_eq!(
        run.stderr,
        "LATCHKEY_OIDC_ISSUER: it needs LATCHKEY_OIDC_CLIENT_ID\n"
    );
}
