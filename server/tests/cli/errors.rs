//! Errors of commands.

use serde_json::json;

use super::{days_from_today, with_acme};
use crate::support::{
    binary::{Latchkey, Run},
    sql,
};

#[test]
fn a_refused_value_is_reported_by_its_option_with_exit_code_1() {
    let latchkey = with_acme();
    let today = days_from_today(0);
    latchkey
        .run(&[
            "key", "create", "--tenant", "acme", "--name", "E", "--group", "Nobody", "--expires", &today,
            "--allow", "10.0.0.0/33",
        ])
        .expect_failure(&[
            "--name: Must be 2–200 characters",
            "--group: there is no authorization group 'Nobody': `latchkey group list --tenant acme`",
            "--expires: Must be a future date",
            "--allow: '10.0.0.0/33' is not an IP address or CIDR range",
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
            .expect_failure(&[
                "--group: there is no authorization group 'Nobody'",
                "--expires: Must be a date, like 2030-12-31",
            ]);
    }
    latchkey
        .run(&["key", "list", "--tenant", "acmee"])
        .expect_failure(&["there is no tenant 'acmee': `latchkey tenant list`"]);
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
        .expect_failure(&["there is no tenant 'acmee'"]);
    let unknown = "019a0000-0000-7000-8000-000000000000";
    latchkey
        .run(&["key", "revoke", unknown])
        .expect_failure(&["there is no API key '019a0000-0000-7000-8000-000000000000'"]);
    latchkey
        .run(&["user", "disable", "nobody@acme.example"])
        .expect_failure(&["there is no user 'nobody@acme.example': `latchkey user list`"]);
    latchkey
        .run(&[
            "user",
            "create",
            "--email",
            "a@b.example",
            "--role",
            "member",
        ])
        .expect_failure(&["--tenant: "]);
    latchkey
        .run(&["tenant", "create", "--name", "Acme", "--slug", "acme"])
        .expect_failure(&["tenant 'acme' exists already"]);

    latchkey.run_json(&[
        "group", "create", "--tenant", "acme", "--name", "People", "--type", "user",
    ]);
    let for_people = [
        "key", "create", "--tenant", "acme", "--name", "ERP", "--group", "People",
    ];
    latchkey
        .run(&for_people)
        .expect_failure(&["--group: Choose an authorization group"]);

    latchkey.run_json(&["tenant", "set-limit", "acme", "0"]);
    let one_more = [
        "key", "create", "--tenant", "acme", "--name", "ERP", "--group", "Orders",
    ];
    latchkey
        .run(&one_more)
        .expect_failure(&["the limit of 0 keys is reached"]);
}

#[test]
fn an_empty_option_creates_no_key() {
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
        latchkey.run_json(&["key", "list", "--tenant", "acme"]),
        json!([])
    );
}

#[test]
fn an_invalid_command_line_ends_with_2() {
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
        &[
            "key",
            "revoke",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "--reason",
            " ",
        ],
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
    run.expect_failure(&["DATABASE_URL: cannot open 'sqlite:///nowhere/latchkey.db?mode=rwc': the database is not available: "]);
    let run = Latchkey::new()
        .with(
            "DATABASE_URL",
            "postgres://latchkey:hunter2@127.0.0.1:1/latchkey",
        )
        .run(&["tenant", "list"]);
    run.expect_failure(&["DATABASE_URL: cannot open 'postgres://latchkey:***@127.0.0.1:1/latchkey': the database is not available: "]);
    assert!(!run.stderr.contains("hunter2"));
}

#[test]
fn errors_contain_advice() {
    let latchkey = with_acme();
    for (arguments, advice) in [
        (
            &["tenant", "set-limit", "acme", "lots"][..],
            "must be a whole number from 0 to 1000000",
        ),
        (
            &["tenant", "set-limit", "acme", "-1"],
            "must be a whole number from 0 to 1000000",
        ),
        (
            &["key", "revoke", "ERP nightly sync"],
            "`latchkey key list --tenant SLUG` shows them",
        ),
    ] {
        let run = latchkey.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
        assert!(run.stderr.contains(advice), "{}", run.stderr);
    }
    latchkey
        .run(&["tenant", "create", "--name", "日本"])
        .expect_failure(&["--slug: nothing of the name can stand in a slug: give one"]);
    let tenant = latchkey.run_json(&["tenant", "create", "--name", "Müller & Söhne Łódź ß"]);
    assert_eq!(tenant["slug"], "muller-sohne-lodz-ss");
    let run = latchkey.run(&[
        "group",
        "create",
        "--tenant",
        "acme",
        "--name",
        "Empty",
        "--type",
        "tenant_api_key",
    ]);
    assert!(
        run.expect_success().stderr.contains("allows nothing yet"),
        "{}",
        run.stderr
    );
    for help in [&["--help"][..], &["serve", "--help"]] {
        let help = latchkey.run(help).expect_success().stdout.clone();
        assert!(
            help.contains("LATCHKEY_LISTEN") && help.contains("Example:"),
            "{help}"
        );
    }
}

#[test]
fn without_a_setting_only_creating_commands_create_a_database() {
    let latchkey = Latchkey::new();
    let run = |arguments: &[&str]| {
        let mut command = latchkey.command(arguments);
        let output = command.env_remove("DATABASE_URL").output();
        Run::from(output.expect("latchkey runs"))
    };
    run(&["key", "list", "--tenant", "acme"])
        .expect_failure(&["there is no database latchkey.db in this folder"]);
    assert!(!latchkey.folder().join("latchkey.db").exists());
    let made = run(&["tenant", "create", "--name", "Acme"]);
    // One log line, instead of one per migration.
    let lines: Vec<_> = made.expect_success().stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("created the database"), "{lines:#?}");
    run(&["tenant", "list"]).expect_success();
}

#[test]
fn an_audit_event_of_a_command_names_the_unix_user() {
    let latchkey = Latchkey::new()
        .with("USER", "latchkey")
        .with("SUDO_USER", "mira");
    latchkey.run_json(&["tenant", "create", "--name", "Acme"]);
    let url = format!(
        "sqlite://{}",
        latchkey.folder().join("latchkey.db").display()
    );
    let names = sql::number(
        &url,
        "SELECT count(*) FROM audit_events WHERE actor_kind = 'cli' AND actor_name = 'mira'",
    );
    assert_eq!(names.expect("a number"), 1);
}

#[test]
fn a_damaged_file_is_not_served() {
    let latchkey = with_acme();
    let file = latchkey.folder().join("latchkey.db");
    let mut bytes = std::fs::read(&file).expect("the file");
    // Overwrites everything from the second page on.
    for byte in &mut bytes[4096..] {
        *byte ^= 0x5a;
    }
    std::fs::write(&file, bytes).expect("written");
    let run = latchkey.run(&["serve"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.contains("damaged") || run.stderr.contains("malformed"),
        "{}",
        run.stderr
    );
}
