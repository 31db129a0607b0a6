//! What commands refuse, and in which words.

use serde_json::json;

use super::{
    binary::{Latchkey, Run},
    days_from_today, with_acme,
};

#[test]
fn what_is_wrong_is_said_by_the_option_and_ends_with_1() {
    let latchkey = with_acme();
    let today = days_from_today(0);
    latchkey
        .run(&[
            "key", "create", "--tenant", "acme", "--name", "E", "--group", "Nobody", "--expires", &today,
            "--allow", "10.0.0.0/33",
        ])
        .failed_with(&[
            "--name: Must be 2–200 characters",
            "--group: there is no authorization group 'Nobody': `latchkey group list --tenant acme`",
            "--expires: Must be a future date",
            "--allow: Line 1: '10.0.0.0/33' is not an IP address or CIDR range",
        ]);
    for date in ["31.12.2030", "tomorrow", "2027-02-30"] {
        latchkey
            .run(&[
                "key",
                "create",
                "--tenant",
                "acme",
                "--name",
                "ERP",
                "--group",
                "Nobody",
                "--expires",
                date,
            ])
            .failed_with(&[
                "--group: there is no authorization group 'Nobody'",
                "--expires: Must be a date, like 2030-12-31",
            ]);
    }
    latchkey
        .run(&["key", "list", "--tenant", "acmee"])
        .failed_with(&["there is no tenant 'acmee': `latchkey tenant list`"]);
    latchkey
        .run(&[
            "user",
            "create",
            "--email",
            "a@b.example",
            "--role",
            "member",
            "--tenant",
            "acmee",
        ])
        .failed_with(&["there is no tenant 'acmee'"]);
    let unknown = "019a0000-0000-7000-8000-000000000000";
    latchkey
        .run(&["key", "revoke", unknown])
        .failed_with(&["there is no API key '019a0000-0000-7000-8000-000000000000'"]);
    latchkey
        .run(&["user", "disable", "nobody@acme.example"])
        .failed_with(&["there is no user 'nobody@acme.example': `latchkey user list`"]);
    latchkey
        .run(&[
            "user",
            "create",
            "--email",
            "a@b.example",
            "--role",
            "member",
        ])
        .failed_with(&["--tenant: "]);
    latchkey
        .run(&["tenant", "create", "--name", "Acme", "--slug", "acme"])
        .failed_with(&["tenant 'acme' exists already"]);

    latchkey.answer(&[
        "group", "create", "--tenant", "acme", "--name", "People", "--type", "user",
    ]);
    let for_people = [
        "key", "create", "--tenant", "acme", "--name", "ERP", "--group", "People",
    ];
    latchkey
        .run(&for_people)
        .failed_with(&["--group: Choose an authorization group"]);

    latchkey.answer(&["tenant", "set-limit", "acme", "0"]);
    let one_more = [
        "key", "create", "--tenant", "acme", "--name", "ERP", "--group", "Orders",
    ];
    latchkey
        .run(&one_more)
        .failed_with(&["the limit of 0 keys is reached"]);
}

#[test]
fn an_option_that_says_nothing_makes_no_key() {
    let latchkey = with_acme();
    for option in ["--allow", "--expires", "--group"] {
        let mut arguments = vec![
            "key", "create", "--tenant", "acme", "--name", "ERP", option, "",
        ];
        if option != "--group" {
            arguments.extend(["--group", "Orders"]);
        }
        let run = latchkey.run(&arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{option}");
        assert!(run.stderr.contains("must not be empty"), "{}", run.stderr);
    }
    assert_eq!(
        latchkey.answer(&["key", "list", "--tenant", "acme"]),
        json!([])
    );
}

#[test]
fn what_cannot_be_read_as_a_command_ends_with_2() {
    let latchkey = Latchkey::new();
    for arguments in [
        &["tenants"][..],
        &["tenant", "create"],
        &["tenant", "set-limit", "acme", "-1"],
        &["user", "create", "--email", "nobody", "--role", "member"],
        &["user", "create", "--email", "a@b.example", "--role", "king"],
        &["user", "set-password"],
        &[
            "group",
            "set-permissions",
            "--tenant",
            "acme",
            "--group",
            "Orders",
        ],
        &["key", "revoke", "1"],
    ] {
        let run = latchkey.run(arguments);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(
            run.stderr.starts_with("error: ") || run.stderr.contains("Usage"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_wrong_setting_is_refused_in_one_line_that_names_it() {
    for (variable, value, line) in [
        (
            "LATCHKEY_LISTEN",
            "abc",
            "LATCHKEY_LISTEN: 'abc' is not an address: write one like 127.0.0.1:3000\n",
        ),
        (
            "LATCHKEY_KEY_PREFIX",
            "LK",
            "LATCHKEY_KEY_PREFIX: 'LK': it must be 1–16 of a–z, 0–9 and _, beginning with a letter\n",
        ),
        (
            "DATABASE_URL",
            "mysql://root:hunter2@x/y",
            "DATABASE_URL: 'mysql://root:***@x/y' is not a database: write one like sqlite://latchkey.db?mode=rwc or postgres://user:password@host/database\n",
        ),
        (
            "DATABASE_URL",
            "postgres://root:hunter2@x/y?sslmode=verify_full",
            "DATABASE_URL: sslmode=verify_full: write one of disable, prefer, require, verify-ca, verify-full\n",
        ),
        (
            "DATABASE_URL",
            "postgres://root:hunter2@x/y?ssl_mode=verify-full",
            "DATABASE_URL: 'ssl_mode': TLS is set by sslrootcert, sslcert, sslkey and sslmode alone\n",
        ),
    ] {
        for command in [&["serve"][..], &["tenant", "list"]] {
            let run = Latchkey::new().with(variable, value).run(command);
            let Run {
                code,
                stdout,
                stderr,
            } = run;
            assert_eq!(
                (code, stdout.as_str(), stderr.as_str()),
                (Some(2), "", line)
            );
        }
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_named_without_its_password() {
    let run = Latchkey::new()
        .with("DATABASE_URL", "sqlite:///nowhere/latchkey.db?mode=rwc")
        .run(&["tenant", "list"]);
    run.failed_with(&["DATABASE_URL: cannot open 'sqlite:///nowhere/latchkey.db?mode=rwc': the database is not available: "]);
    let run = Latchkey::new()
        .with(
            "DATABASE_URL",
            "postgres://latchkey:hunter2@127.0.0.1:1/latchkey",
        )
        .run(&["tenant", "list"]);
    run.failed_with(&["DATABASE_URL: cannot open 'postgres://latchkey:***@127.0.0.1:1/latchkey': the database is not available: "]);
    assert!(!run.stderr.contains("hunter2"));
}
