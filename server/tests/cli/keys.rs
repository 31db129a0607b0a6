//! `key show`, `key edit`, and the filters of `key list`.

use serde_json::{Value, json};

use super::{days_from_today, with_acme};
use crate::support::binary::Latchkey;

/// Creates a key of the group `Orders`.
fn create(latchkey: &Latchkey, name: &str, more: &[&str]) -> Value {
    let mut arguments = vec![
        "key", "create", "--tenant", "acme", "--name", name, "--group", "Orders",
    ];
    arguments.extend(more);
    latchkey.run_json(&arguments)
}

fn id(key: &Value) -> &str {
    key["id"].as_str().unwrap()
}

#[test]
fn a_key_is_shown_and_edited() {
    let latchkey = with_acme();
    latchkey.create_group("acme", "Stock", &["stock:read"]);
    let mut key = create(&latchkey, "ERP", &["--allow", "10.0.0.0/8"]);
    let secret = key.as_object_mut().unwrap().remove("secret");
    assert!(secret.is_some());
    assert_eq!(latchkey.run_json(&["key", "show", id(&key)]), key);

    let edited = latchkey.run_json(&[
        "key",
        "edit",
        id(&key),
        "--name",
        "Warehouse",
        "--group",
        "Stock",
        "--allow",
        "192.0.2.7",
        "--allow",
        "2001:DB8::/32",
    ]);
    assert_eq!(edited["name"], "Warehouse");
    assert_eq!(edited["authorization_group"]["name"], "Stock");
    assert_eq!(
        edited["ip_allowlist"],
        json!(["192.0.2.7/32", "2001:db8::/32"])
    );
    assert_eq!(edited["hint"], key["hint"]);
    let any = latchkey.run_json(&["key", "edit", id(&key), "--allow-any", "--description", "A"]);
    assert_eq!(
        (&any["ip_allowlist"], &any["name"]),
        (&json!([]), &edited["name"])
    );
    assert_eq!(any["description"], "A");

    // Without a change the command is not complete.
    assert_eq!(latchkey.run(&["key", "edit", id(&key)]).code, Some(2));
    latchkey
        .run(&[
            "key",
            "edit",
            id(&key),
            "--name",
            "x",
            "--group",
            "Missing",
            "--allow",
            "10.0.0.0/33",
        ])
        .expect_failure(&[
            "--name: Must be 2–200 characters",
            "--group: there is no authorization group 'Missing'",
            "--allow: '10.0.0.0/33' is not an IP address or CIDR range",
        ]);
    latchkey.run(&["key", "revoke", id(&key)]).expect_success();
    latchkey
        .run(&["key", "edit", id(&key), "--name", "Other"])
        .expect_failure(&["the key is revoked"]);
}

#[test]
fn keys_are_listed_by_the_filters_of_the_api() {
    let latchkey = with_acme();
    create(&latchkey, "Never", &[]);
    let date = days_from_today(5);
    create(&latchkey, "Soon", &["--expires", &date]);
    let revoked = create(&latchkey, "Revoked", &[]);
    latchkey
        .run(&["key", "revoke", id(&revoked)])
        .expect_success();
    let list = |filters: &[&str]| {
        let mut arguments = vec!["key", "list", "--tenant", "acme"];
        arguments.extend(filters);
        latchkey.run_json(&arguments)
    };
    let names = |keys: &Value| -> Vec<String> {
        let keys = keys.as_array().unwrap().iter();
        keys.map(|key| key["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&list(&[])), ["Revoked", "Soon", "Never"]);
    assert_eq!(
        names(&list(&["--status", "active", "--sort", "name"])),
        ["Never", "Soon"]
    );
    assert_eq!(names(&list(&["--expiration", "expiring_soon"])), ["Soon"]);
    assert_eq!(
        names(&list(&["--lifetime", "never", "--status", "active"])),
        ["Never"]
    );
    assert_eq!(names(&list(&["--q", "oo"])), ["Soon"]);
    assert_eq!(
        names(&list(&["--sort", "-name"])),
        ["Soon", "Revoked", "Never"]
    );
    assert!(names(&list(&["--unused-days", "1"])).is_empty());
    // No policy excludes a key yet.
    assert!(names(&list(&["--policy", "outside"])).is_empty());
    let page = list(&["--limit", "2"]);
    assert_eq!(names(&page["items"]), ["Revoked", "Soon"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = list(&["--limit", "2", "--cursor", cursor]);
    assert_eq!(names(&rest["items"]), ["Never"]);
    assert_eq!(rest["next_cursor"], Value::Null);
    latchkey
        .run(&[
            "key", "list", "--tenant", "acme", "--status", "expired", "--limit", "0",
        ])
        .expect_failure(&[
            "--status: Must be active or revoked",
            "--limit: Must be a number from 1 to 100",
        ]);
}
