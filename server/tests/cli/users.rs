//! Commands about users: states, roles and one-time links.

use serde_json::{Value, json};

use super::with_acme;
use crate::support::binary::Latchkey;

const MIRA: &str = "mira@acme.example";

fn with_mira() -> Latchkey {
    let latchkey = with_acme().with("LATCHKEY_PUBLIC_URL", "https://keys.example");
    for (address, role, tenant) in [
        (MIRA, "tenant_admin", &["--tenant", "acme"][..]),
        ("otis@latchkey.example", "super_user", &[]),
    ] {
        let create = ["user", "create", "--email", address, "--role", role];
        latchkey.run_json(&[&create, tenant].concat());
    }
    latchkey
}

#[test]
fn a_disabled_user_is_enabled_and_set_password_does_not_promise_a_sign_in() {
    let latchkey = with_mira();
    let disabled = latchkey.run(&["user", "disable", MIRA]);
    let disabled = disabled.expect_success();
    let warning = "warning: tenant 'acme' has no enabled administrator now";
    assert!(disabled.stderr.contains(warning), "{}", disabled.stderr);
    let set = latchkey.run(&["user", "set-password", MIRA]);
    let set = set.expect_success();
    let stays = format!("{MIRA} stays disabled and cannot sign in: `latchkey user enable {MIRA}`");
    assert!(set.stderr.contains(&stays), "{}", set.stderr);
    assert!(!set.stderr.contains("can sign in with"), "{}", set.stderr);
    let json = latchkey.run_json(&["user", "set-password", MIRA]);
    assert!(json["disabled_at"].is_string() && json["password"].is_string());
    let enabled = latchkey.run_json(&["user", "enable", "--email", MIRA]);
    assert_eq!(enabled["disabled_at"], Value::Null);
    let set = latchkey.run(&["user", "set-password", MIRA]);
    let set = set.expect_success();
    assert!(set.stderr.contains("can sign in with"), "{}", set.stderr);
}

#[test]
fn a_role_is_changed_within_the_tenant() {
    let latchkey = with_mira();
    let changed = latchkey.run(&["user", "set-role", MIRA, "--role", "member"]);
    let changed = changed.expect_success();
    assert!(changed.stdout.contains("member"), "{}", changed.stdout);
    assert!(changed.stderr.contains("has no enabled administrator now"));
    let back = latchkey.run_json(&["user", "set-role", MIRA, "--role", "tenant_admin"]);
    assert_eq!(back["role"], "tenant_admin");
    latchkey
        .run(&["user", "set-role", MIRA, "--role", "super_user"])
        .expect_failure(&["A super user belongs to no tenant: create another user"]);
    latchkey
        .run(&[
            "user",
            "set-role",
            "nobody@acme.example",
            "--role",
            "member",
        ])
        .expect_failure(&["there is no user 'nobody@acme.example'"]);
}

#[test]
fn an_invitation_prints_only_the_link() {
    let latchkey = with_mira();
    let invite = |address: &str, role: &str| {
        let invite = [
            "user", "invite", "--tenant", "acme", "--email", address, "--role", role,
        ];
        latchkey.run(&invite)
    };
    let run = invite("sanne@acme.example", "member");
    let run = run.expect_success();
    let link = run.stdout.strip_suffix('\n').expect("one line");
    let token = link.strip_prefix("https://keys.example/invitation/");
    assert_eq!(token.map(str::len), Some(43), "{link}");
    assert!(!run.stderr.contains(link), "{}", run.stderr);
    assert!(
        run.stderr.contains("It works once, until"),
        "{}",
        run.stderr
    );
    invite(MIRA, "member").expect_failure(&["This address cannot be invited"]);
    let reset = latchkey.run_json(&[
        "user",
        "invite",
        "--tenant",
        "acme",
        "--email",
        MIRA,
        "--role",
        "tenant_admin",
    ]);
    assert_eq!(reset["purpose"], "new_password");
    assert!(reset["url"].as_str().unwrap().contains("/invitation/"));
    let link = latchkey.run_json(&["user", "sign-in-link", "otis@latchkey.example"]);
    assert_eq!(link["purpose"], "sign_in");
    assert!(
        link["url"]
            .as_str()
            .unwrap()
            .starts_with("https://keys.example/sign-in-link/")
    );
    latchkey
        .run(&["user", "sign-in-link", MIRA])
        .expect_failure(&["Only a super user can sign in by a link"]);
    let without_url = with_acme();
    without_url
        .run(&[
            "user",
            "invite",
            "--email",
            "ada@latchkey.example",
            "--role",
            "super_user",
        ])
        .expect_failure(&["LATCHKEY_PUBLIC_URL is not set"]);
}

#[test]
fn audit_events_of_commands_about_users_name_the_person() {
    let latchkey = with_mira().with("SUDO_USER", "wilma");
    for command in [
        &["user", "disable", MIRA][..],
        &["user", "enable", MIRA],
        &["user", "set-role", MIRA, "--role", "member"],
        &[
            "user",
            "invite",
            "--tenant",
            "acme",
            "--email",
            "x@acme.example",
            "--role",
            "member",
        ],
    ] {
        latchkey.run(command).expect_success();
    }
    let events = latchkey.run_json(&["audit", "list", "--tenant", "acme", "--limit", "4"]);
    let events = events["items"].as_array().unwrap();
    let named: Vec<_> = events
        .iter()
        .map(|event| json!([event["action"], event["actor"]["name"]]))
        .collect();
    assert_eq!(
        named,
        [
            json!(["user.invited", "wilma"]),
            json!(["user.role_changed", "wilma"]),
            json!(["user.enabled", "wilma"]),
            json!(["user.disabled", "wilma"]),
        ]
    );
}
