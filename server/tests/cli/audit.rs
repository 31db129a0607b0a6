//! `audit list`, and the events of commands that rename and delete.

use serde_json::{Value, json};

use super::with_acme;

/// The actions in a page of events.
fn actions(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect()
}

#[test]
fn groups_are_renamed_and_deleted() {
    let latchkey = with_acme();
    let of_group = |command: &[&'static str]| {
        let mut arguments = vec!["group", command[0], "--tenant", "acme", "--group"];
        arguments.extend(&command[1..]);
        arguments
    };
    let renamed = latchkey.run_json(&of_group(&["rename", "Orders", "--name", "Orders (all)"]));
    assert_eq!(renamed["name"], "Orders (all)");
    latchkey
        .run(&of_group(&["rename", "Orders", "--name", "Stock"]))
        .expect_failure(&[
            "there is no authorization group 'Orders': `latchkey group list --tenant acme` lists them",
        ]);
    let key = latchkey.run_json(&[
        "key",
        "create",
        "--tenant",
        "acme",
        "--name",
        "ERP",
        "--group",
        "Orders (all)",
    ]);
    let id = key["id"].as_str().unwrap();
    latchkey
        .run(&of_group(&["delete", "Orders (all)"]))
        .expect_failure(&[&format!(
            "1 key has the group: 'ERP' ({id}); give them another group or revoke them first"
        )]);
    latchkey.run(&["key", "revoke", id]).expect_success();
    let deleted = latchkey.run_json(&of_group(&["delete", "Orders (all)"]));
    assert_eq!(deleted["id"], renamed["id"]);
    assert_eq!(
        latchkey.run_json(&["group", "list", "--tenant", "acme"]),
        json!([])
    );
    let events = latchkey.run_json(&["audit", "list", "--tenant", "acme", "--limit", "1"]);
    assert_eq!(actions(&events), ["authorization_group.deleted"]);
}

#[test]
fn a_tenant_is_renamed_and_keeps_its_slug() {
    let latchkey = with_acme();
    let rename = |name: &str| latchkey.run_json(&["tenant", "rename", "acme", "--name", name]);
    let renamed = rename("Acme Freight");
    assert_eq!(
        (&renamed["slug"], &renamed["name"]),
        (&json!("acme"), &json!("Acme Freight"))
    );
    // Renaming to the current name is no change.
    rename("Acme Freight");
    let list = [
        "audit",
        "list",
        "--tenant",
        "acme",
        "--action",
        "tenant.renamed",
    ];
    let events = latchkey.run_json(&list);
    assert_eq!(actions(&events), ["tenant.renamed"]);
    assert_eq!(
        events["items"][0]["changes"],
        json!({ "name": { "before": "Acme Logistics", "after": "Acme Freight" } })
    );
    latchkey
        .run(&["tenant", "rename", "acme", "--name", " "])
        .expect_failure(&["--name: Must be 1–200 characters"]);
}

#[test]
fn the_audit_log_is_filtered_and_paged_as_in_the_api() {
    let latchkey = with_acme();
    let create = [
        "key", "create", "--tenant", "acme", "--name", "ERP", "--group", "Orders",
    ];
    let key = latchkey.run_json(&create);
    let other = latchkey.run_json(&create);
    let (id, other) = (key["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    latchkey.run(&["key", "revoke", id]).expect_success();
    let list = |options: &[&str]| {
        let mut arguments = vec!["audit", "list", "--tenant", "acme"];
        arguments.extend(options);
        latchkey.run_json(&arguments)
    };
    assert_eq!(
        actions(&list(&["--key", id])),
        ["api_key.revoked", "api_key.created"]
    );
    assert_eq!(actions(&list(&["--key", other])), ["api_key.created"]);
    assert_eq!(
        actions(&list(&["--action", "api_key.revoked", "--actor", "cli"])),
        ["api_key.revoked"]
    );
    assert!(actions(&list(&["--to", "2001-01-01"])).is_empty());
    assert!(!actions(&list(&["--from", "2001-01-01"])).is_empty());
    let first = list(&["--limit", "2"]);
    let cursor = first["next_cursor"].as_str().expect("a further page");
    let second = list(&["--limit", "2", "--cursor", cursor]);
    assert_eq!(actions(&first), ["api_key.revoked", "api_key.created"]);
    assert_eq!(
        actions(&second),
        ["api_key.created", "authorization_group.created"]
    );

    let run = latchkey.run(&["audit", "list", "--tenant", "acme", "--limit", "1"]);
    let table = &run.expect_success().stdout;
    assert!(table.starts_with("TIME (UTC)"), "{table}");
    assert!(table.contains("api_key.revoked") && !table.contains("api_key.created"));
    assert!(
        run.stderr.contains("There are more: add --cursor "),
        "{}",
        run.stderr
    );
    latchkey
        .run(&[
            "audit", "list", "--tenant", "acme", "--action", "x", "--limit", "0",
        ])
        .expect_failure(&[
            "--action: Must be an action, such as api_key.created",
            "--limit: Must be a number from 1 to 100",
        ]);
}
