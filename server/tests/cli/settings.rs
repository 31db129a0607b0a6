//! Settings: refused values, `config check`, `NAME_FILE`.

use std::fs;

use serde_json::Value;

use crate::support::binary::Latchkey;

/// Empty, contradictory and invalid values of settings.
const REFUSED: &[(&str, &str)] = &[
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "latchkey.db"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite://:memory:"),
    ("DATABASE_URL", "sqlite://a.db?mode=memory"),
    ("DATABASE_URL", "mysql://root:hidden-word@x/y"),
    ("DATABASE_URL", "postgres:x"),
    ("DATABASE_URL", "postgres://u:hidden-word@x/y?sslmode=on"),
    ("DATABASE_URL", "postgres://u:hidden-word@x/y?ssl=true"),
    ("DATABASE_URL_FILE", "/nowhere/url"),
    ("DATABASE_URL_FILE", "/"),
    ("LATCHKEY_LISTEN", "3000"),
    ("LATCHKEY_LISTEN", "127.0.0.1"),
    ("LATCHKEY_LISTEN", "localhost:3000"),
    ("LATCHKEY_LISTEN", "127.0.0.1:70000"),
    ("LATCHKEY_LISTEN", "127.0.0.1:3000\nother"),
    ("LATCHKEY_LISTEN_FILE", "/etc/hostname"),
    ("LATCHKEY_METRICS_LISTEN", "on"),
    ("LATCHKEY_METRICS_LISTEN", "9090"),
    ("LATCHKEY_PUBLIC_URL", "keys.example"),
    ("LATCHKEY_PUBLIC_URL", "ftp://keys.example"),
    ("LATCHKEY_PUBLIC_URL", "https://keys.example/console"),
    ("LATCHKEY_PUBLIC_URL", "https://u:hidden-word@keys.example"),
    ("LATCHKEY_PUBLIC_URL", "https://keys.example/?a=b"),
    ("LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/33"),
    ("LATCHKEY_TRUSTED_PROXIES", "10.0.0.1;10.0.0.2"),
    ("LATCHKEY_TRUSTED_PROXIES", "proxy.example"),
    ("LATCHKEY_KEY_PREFIX", "LK"),
    ("LATCHKEY_KEY_PREFIX", "1k"),
    ("LATCHKEY_KEY_PREFIX", "a_prefix_that_is_too_long"),
    ("LATCHKEY_DEFAULT_KEY_LIMIT", "-1"),
    ("LATCHKEY_DEFAULT_KEY_LIMIT", "1000001"),
    ("LATCHKEY_DEFAULT_KEY_LIMIT", "ten"),
    ("LATCHKEY_EXPIRING_SOON_DAYS", "30d"),
    ("LATCHKEY_EXPIRING_SOON_DAYS", "36501"),
    ("LATCHKEY_REVOKED_KEYS_KEPT", "1e3"),
    ("LATCHKEY_DRAIN_SECONDS", "301"),
    ("LATCHKEY_DRAIN_SECONDS", "5s"),
    ("LATCHKEY_SUPPORT_URL", "http://support.example"),
    ("LATCHKEY_SUPPORT_URL", "mailto:support"),
    ("LATCHKEY_LOG_FORMAT", "xml"),
    ("RUST_LOG", "debgu"),
    ("RUST_LOG", "latchkey=loud"),
    ("LATCHKEY_PUBIC_URL", "https://keys.example"),
];

#[test]
fn p80_refused_settings_end_with_2_and_one_line_without_a_secret() {
    for (variable, value) in REFUSED {
        for arguments in [&["tenant", "list"][..], &["config", "check"]] {
            let mut latchkey = Latchkey::new();
            if *variable == "DATABASE_URL_FILE" {
                latchkey = latchkey.without("DATABASE_URL");
            }
            let run = latchkey.with(variable, value).run(arguments);
            assert_eq!(run.code, Some(2), "{variable}={value:?}: {}", run.stderr);
            let lines: Vec<_> = run.stderr.lines().collect();
            let [line] = lines.as_slice() else {
                panic!("{variable}={value:?}: one line: {lines:#?}")
            };
            assert!(line.starts_with(&format!("{variable}: ")), "{line}");
            for text in [&run.stdout, &run.stderr] {
                assert!(!text.contains("hidden-word"), "{text}");
            }
        }
    }
}

#[test]
fn config_check_lists_values_and_sources_without_secrets() {
    let latchkey = Latchkey::new().without("DATABASE_URL");
    let file = latchkey.folder().join("url");
    fs::write(
        &file,
        "postgres://latchkey:hidden-word@127.0.0.1:1/latchkey\n",
    )
    .expect("written");
    let latchkey = latchkey
        .with("DATABASE_URL_FILE", file.to_str().expect("UTF-8"))
        .with("LATCHKEY_KEY_PREFIX", "acme");
    let run = latchkey.run(&["config", "check"]);
    assert_eq!(run.expect_success().stderr, "");
    let row = |name: &str| {
        let line = run.stdout.lines().find(|line| line.starts_with(name));
        let cells = line.unwrap_or_else(|| panic!("{name}: {}", run.stdout));
        cells
            .split_whitespace()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        row("DATABASE_URL"),
        ["postgres://latchkey:***@127.0.0.1:1/latchkey", "file"]
    );
    assert_eq!(row("LATCHKEY_KEY_PREFIX"), ["acme", "environment"]);
    assert_eq!(row("LATCHKEY_EXPIRING_SOON_DAYS"), ["30", "default"]);
    let json = latchkey.run_json(&["config", "check"]);
    let settings = json.as_array().expect("an array");
    let url = &settings[0];
    assert_eq!(url["name"], "DATABASE_URL");
    assert_eq!(url["value"], "postgres://latchkey:***@127.0.0.1:1/latchkey");
    assert_eq!(
        (&url["source"], &url["error"]),
        (&Value::from("file"), &Value::Null)
    );
    assert!(!json.to_string().contains("hidden-word"));
}

#[test]
fn config_check_reports_every_error() {
    let latchkey = Latchkey::new()
        .with("LATCHKEY_LISTEN", "here")
        .with("LATCHKEY_DRAIN_SECONDS", "soon")
        .with("LATCHKEY_PUBIC_URL", "https://keys.example");
    let run = latchkey.run(&["config", "check"]);
    assert_eq!(run.code, Some(2));
    let variables: Vec<_> = run
        .stderr
        .lines()
        .map(|line| line.split(':').next().expect("a name"))
        .collect();
    assert_eq!(
        variables,
        [
            "LATCHKEY_PUBIC_URL",
            "LATCHKEY_LISTEN",
            "LATCHKEY_DRAIN_SECONDS"
        ]
    );
    assert!(run.stdout.contains("invalid"), "{}", run.stdout);
}

#[test]
fn a_database_can_be_named_by_a_file() {
    let latchkey = Latchkey::new().without("DATABASE_URL");
    let database = latchkey.folder().join("keys.db");
    let file = latchkey.folder().join("url");
    fs::write(&file, format!("sqlite://{}?mode=rwc\n", database.display())).expect("written");
    let latchkey = latchkey.with("DATABASE_URL_FILE", file.to_str().expect("UTF-8"));
    latchkey.run_json(&["tenant", "create", "--name", "Acme"]);
    assert!(database.exists());
}

#[test]
fn a_malformed_encryption_key_is_reported_by_config_check_alone() {
    for value in ["hidden-word", "aGlkZGVuLXdvcmQ=", " "] {
        let latchkey = Latchkey::new().with("LATCHKEY_ENCRYPTION_KEY", value);
        let check = latchkey.run(&["config", "check"]);
        assert_eq!(check.code, Some(2), "{}", check.stderr);
        let lines: Vec<_> = check.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(
            lines[0].starts_with("LATCHKEY_ENCRYPTION_KEY: it is not 32 bytes in base64"),
            "{}",
            lines[0]
        );
        assert!(
            !check.stdout.contains(value.trim()) || value.trim().is_empty(),
            "{}",
            check.stdout
        );
        latchkey.run(&["tenant", "list"]).expect_success();
    }
    let key = Latchkey::new()
        .run(&["generate-encryption-key"])
        .expect_success()
        .stdout
        .trim()
        .to_owned();
    let check = Latchkey::new()
        .with("LATCHKEY_ENCRYPTION_KEY", &key)
        .run(&["config", "check"]);
    assert!(
        !check.expect_success().stdout.contains(&key),
        "the key is not shown"
    );
}
