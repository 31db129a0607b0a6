//! The output of commands that succeed.

use serde_json::{Value, json};

use super::{days_from_today, with_acme};
use crate::support::binary::{Latchkey, Run};

#[test]
fn tenants_groups_and_keys_are_created_and_changed() {
    let latchkey = Latchkey::new();
    let tenant = latchkey.run_json(&[
        "tenant",
        "create",
        "--name",
        "Acme Logistics",
        "--key-limit",
        "5",
    ]);
    assert_eq!(tenant["slug"], "acme-logistics");
    assert_eq!(tenant["key_limit"], 5);
    assert_eq!(tenant["suspended_at"], Value::Null);
    assert!(tenant.get("usage").is_none() && tenant["id"].is_string());
    assert_eq!(
        latchkey.run_json(&["tenant", "set-limit", "acme-logistics", "50"])["key_limit"],
        50
    );

    let group = latchkey.run_json(&[
        "group",
        "create",
        "--tenant",
        "acme-logistics",
        "--name",
        "Orders",
        "--type",
        "tenant_api_key",
        "--permission",
        "orders:write",
        "orders:read",
    ]);
    assert_eq!(group["permissions"], json!(["orders:read", "orders:write"]));
    assert_eq!(group["type"], "tenant_api_key");
    let group_id = group["id"].as_str().expect("id");
    let changed = latchkey.run_json(&[
        "group",
        "set-permissions",
        "--tenant",
        "acme-logistics",
        "--group",
        group_id,
        "--permission",
        "orders:read",
    ]);
    assert_eq!(changed["permissions"], json!(["orders:read"]));
    assert_eq!(
        latchkey.run_json(&["group", "list", "--tenant", "acme-logistics"]),
        json!([changed])
    );

    let expires = days_from_today(90);
    let key = latchkey.run_json(&[
        "key",
        "create",
        "--tenant",
        "acme-logistics",
        "--name",
        "ERP",
        "--group",
        "Orders",
        "--expires",
        &expires,
        "--allow",
        "10.1.2.3/8",
        "--allow",
        "192.0.2.7",
    ]);
    assert_eq!(key["ip_allowlist"], json!(["10.0.0.0/8", "192.0.2.7/32"]));
    assert_eq!(key["expires_on"], expires);
    assert_eq!(key["authorization_group"]["id"], group_id);
    assert_eq!(key["created_by"]["type"], "cli");
    let id = key["id"].as_str().expect("id");
    let secret = key["secret"].as_str().expect("secret");

    let rotated = latchkey.run_json(&["key", "rotate", id, "--expires", "never"]);
    assert_eq!(
        (&rotated["id"], &rotated["expires_on"]),
        (&key["id"], &Value::Null)
    );
    assert_ne!(rotated["secret"], secret);

    let reason = "The contract  ended";
    let mut revoked = latchkey.run_json(&["key", "revoke", id, "--reason", reason]);
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(revoked["revoked_reason"], reason);
    assert!(revoked.get("secret").is_none());
    let receipt = revoked
        .as_object_mut()
        .expect("an object")
        .remove("receipt");
    assert_eq!(receipt, Some(Value::Null));
    let keys = latchkey.run_json(&["key", "list", "--tenant", "acme-logistics"]);
    assert_eq!(keys, json!([revoked]));
    assert_eq!(
        latchkey.run_json(&["tenant", "list"])[0]["usage"],
        json!({ "used": 0, "limit": 50 })
    );

    let suspended = latchkey.run_json(&["tenant", "suspend", "acme-logistics"]);
    assert!(suspended["suspended_at"].is_string());
    let resumed = latchkey.run_json(&["tenant", "resume", "acme-logistics"]);
    assert_eq!(resumed["suspended_at"], Value::Null);
}

#[test]
fn a_password_is_given_or_generated_and_printed_once() {
    let latchkey = with_acme();
    let create = [
        "user",
        "create",
        "--email",
        "Mira@acme.example",
        "--role",
        "tenant_admin",
        "--tenant",
        "acme",
    ];
    let made = latchkey.run_json(&create);
    assert_eq!(made["email"], "mira@acme.example");
    assert_eq!(
        (&made["tenant"], &made["name"]),
        (&json!("acme"), &json!("mira"))
    );
    assert!(made["password"].as_str().expect("password").len() >= 12);

    let jonas = [
        "user",
        "create",
        "--email",
        "jonas@acme.example",
        "--role",
        "member",
        "--tenant",
        "acme",
        "--name",
        "Jonas Weber",
        "--password-stdin",
    ];
    let run = latchkey.run_with_input(
        &[&jonas[..], &["--json"]].concat(),
        "copper walrus thirteen violins\nmore\n",
    );
    let given: Value = serde_json::from_str(&run.expect_success().stdout).expect("JSON");
    assert_eq!(given["name"], "Jonas Weber");
    assert!(given.get("password").is_none());

    let list = latchkey.run_json(&["user", "list"]);
    let emails: Vec<_> = list
        .as_array()
        .expect("array")
        .iter()
        .map(|user| &user["email"])
        .collect();
    assert_eq!(emails, ["jonas@acme.example", "mira@acme.example"]);
    assert!(!list.to_string().contains("password"));

    let run = latchkey.run(&["user", "set-password", "mira@acme.example"]);
    let password = run.expect_success().stdout.trim_end_matches('\n');
    assert!(
        password.len() >= 12 && !password.contains(char::is_whitespace),
        "alone: {:?}",
        run.stdout
    );
    assert_ne!(password, made["password"]);
    let disabled = latchkey.run_json(&["user", "disable", "--email", "mira@acme.example"]);
    assert!(disabled["disabled_at"].is_string());

    let run = latchkey.run_with_input(
        &[
            "user",
            "set-password",
            "jonas@acme.example",
            "--password-stdin",
        ],
        "short\n",
    );
    run.expect_failure(&["the password: Must be 12–256 characters"]);
    latchkey
        .run(&create)
        .expect_failure(&["user 'mira@acme.example' exists already"]);
}

#[test]
fn a_secret_is_the_only_output() {
    let latchkey = with_acme();
    let run = latchkey.run(&[
        "key", "create", "--tenant", "acme", "--name", "ERP", "--group", "Orders",
    ]);
    let secret = run
        .expect_success()
        .stdout
        .strip_suffix('\n')
        .expect("one line");
    assert!(
        domain::key::format::Secret::parse(secret).is_some(),
        "{secret}"
    );
    assert!(!run.stderr.contains(secret));
    let id = latchkey.run_json(&["key", "list", "--tenant", "acme"])[0]["id"].clone();
    let run = latchkey.run(&["key", "rotate", id.as_str().expect("id")]);
    let rotated = run
        .expect_success()
        .stdout
        .strip_suffix('\n')
        .expect("one line");
    assert!(
        domain::key::format::Secret::parse(rotated).is_some(),
        "{rotated}"
    );
    assert_ne!(secret, rotated);
}

#[test]
fn lists_are_printed_as_tables() {
    let latchkey = with_acme();
    latchkey
        .run(&[
            "key", "create", "--tenant", "acme", "--name", "Köln", "--group", "Orders",
        ])
        .expect_success();
    let run = latchkey.run(&["key", "list", "--tenant", "acme"]);
    let lines: Vec<_> = run.expect_success().stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    let column =
        |line: &str, word: &str| line.split(word).next().map(|before| before.chars().count());
    assert_eq!(column(lines[0], "STATUS"), column(lines[1], "active"));
    let run = latchkey.run(&["user", "list"]);
    assert_eq!(run.expect_success().stdout, "");
    assert!(
        run.stderr.contains("latchkey user create"),
        "{}",
        run.stderr
    );
    assert_eq!(latchkey.run_json(&["user", "list"]), json!([]));
    let run = latchkey.run(&["tenant", "list"]);
    assert!(
        run.expect_success()
            .stdout
            .contains("acme  Acme Logistics  1/10"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_default_database_is_a_file_in_the_working_directory() {
    let latchkey = Latchkey::new();
    let mut command = latchkey.command(&["tenant", "create", "--name", "Acme"]);
    let made = command.env_remove("DATABASE_URL").output();
    Run::from(made.expect("latchkey runs")).expect_success();
    assert!(latchkey.folder().join("latchkey.db").is_file());
}
