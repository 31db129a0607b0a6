use super::Config;

/// The settings with only `variable` set, or the error message.
fn with(variable: &str, value: &str) -> Result<Config, String> {
    Config::from_lookup(|name| (name == variable).then(|| value.to_owned()))
        .map_err(|error| error.to_string())
}

fn refusal(variable: &str, value: &str) -> String {
    let line = with(variable, value).expect_err("refused");
    assert!(!line.contains('\n'), "one line: {line:?}");
    assert!(line.starts_with(&format!("{variable}: ")), "{line}");
    line
}

#[test]
fn without_an_environment_the_defaults_of_the_specification_hold() {
    let config = Config::from_lookup(|_| None).expect("defaults");
    assert_eq!(
        config.database_url.as_str(),
        "sqlite://latchkey.db?mode=rwc"
    );
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.metrics_listen, None);
    assert_eq!(config.public_url, None);
    assert_eq!(config.trusted_proxies, Default::default());
    assert_eq!(config.key_prefix.as_str(), "lk");
    assert_eq!(config.default_key_limit, 10);
    assert_eq!(config.expiring_soon_days, 30);
    assert_eq!(config.drain.as_secs(), 5);
    assert_eq!(config.log, "info");
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"))
        .expect("README.md");
    let rows: Vec<(&str, &str)> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter_map(|(name, rest)| Some((name, rest.split_once(" |")?.0.trim_matches('`'))))
        .filter(|(name, _)| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    let settings: Vec<(&str, &str)> = super::SETTINGS
        .iter()
        .map(|setting| (setting.name, setting.default))
        .collect();
    assert_eq!(rows, settings);
}

#[test]
fn drain_and_metrics() {
    for (text, seconds) in [("0", 0), ("300", 300)] {
        let config = with("LATCHKEY_DRAIN_SECONDS", text).expect(text);
        assert_eq!(config.drain.as_secs(), seconds);
    }
    for bad in ["301", "-1", "5s", "1.5"] {
        refusal("LATCHKEY_DRAIN_SECONDS", bad);
    }
    for off in ["off", "OFF"] {
        let config = with("LATCHKEY_METRICS_LISTEN", off).expect(off);
        assert_eq!(config.metrics_listen, None);
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    let config = Config::from_lookup(|_| Some(String::new())).expect("defaults");
    assert_eq!(
        config.database_url.as_str(),
        "sqlite://latchkey.db?mode=rwc"
    );
    assert_eq!(config.metrics_listen, None);
    assert_eq!(config.log, "info");
}

#[test]
fn database_url() {
    for good in [
        "sqlite://latchkey.db",
        "sqlite:///var/lib/latchkey/a@b.db?mode=rwc",
        "postgres://latchkey:secret@db.example/latchkey",
        "postgresql://db.example:5433/latchkey?sslmode=require",
    ] {
        let config = with("DATABASE_URL", good).expect(good);
        assert_eq!(config.database_url.as_str(), good);
        assert_eq!(config.store_options(true).database_url, good);
        assert!(config.store_options(true).serves && !config.store_options(false).serves);
    }
    for bad in [
        "latchkey.db",
        "sqlite://",
        "sqlite://?mode=rwc",
        "sqlite://:memory:",
        "sqlite://x?mode=memory",
        "sqlite::memory:",
        "mysql://db.example/latchkey",
        "postgres:latchkey",
    ] {
        let line = refusal("DATABASE_URL", bad);
        // A value that is no URL may be a password.
        assert_eq!(
            line.contains(&format!("'{bad}'")),
            bad.contains("://"),
            "{line}"
        );
        assert!(line.contains("sqlite://latchkey.db?mode=rwc"), "{line}");
    }
}

#[test]
fn the_password_of_the_database_is_shown_nowhere() {
    for (url, shown) in [
        (
            "postgres://latchkey:hunter2@db.example/latchkey",
            "postgres://latchkey:***@db.example/latchkey",
        ),
        (
            "postgres://latchkey:hun@ter2/x?y@db.example/latchkey",
            "postgres://latchkey:***@db.example/latchkey",
        ),
        (
            "postgres://db.example/latchkey?user=latchkey&password=hunter2&sslmode=require",
            "postgres://db.example/latchkey?user=latchkey&password=***&sslmode=require",
        ),
        (
            "sqlite:///data/a@b.db?mode=rwc",
            "sqlite:///data/a@b.db?mode=rwc",
        ),
    ] {
        assert_eq!(super::database_url::masked(url), shown);
    }
    let config = with(
        "DATABASE_URL",
        "postgres://latchkey:hunter2@db.example/latchkey",
    )
    .expect("good");
    assert!(!format!("{config:?}").contains("hunter2"));
    for bad in [
        "mysql://root:hunter2@db.example/x",
        "postgres:latchkey:hunter2@db.example",
        "mysql://db.example/x?password=hunter2",
    ] {
        let line = refusal("DATABASE_URL", bad);
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn the_support_url_is_https_or_mailto() {
    for good in [
        "https://support.example/latchkey?from=console",
        "mailto:support@example.com?subject=Latchkey",
    ] {
        let config = with("LATCHKEY_SUPPORT_URL", good).expect(good);
        assert_eq!(config.support_url.as_deref(), Some(good));
    }
    assert_eq!(
        with("LATCHKEY_SUPPORT_URL", "").expect("unset").support_url,
        None
    );
    assert_eq!(
        refusal("LATCHKEY_SUPPORT_URL", "javascript:alert(1)"),
        "LATCHKEY_SUPPORT_URL: 'javascript:alert(1)' is not an address of a support: write one like \
         https://support.example/latchkey or mailto:support@example.com"
    );
    for bad in [
        "support@example.com",
        "http://support.example",
        "https://user:password@support.example",
        "mailto:support",
        "/support",
        "data:text/html,x",
    ] {
        refusal("LATCHKEY_SUPPORT_URL", bad);
    }
}

#[test]
fn listen() {
    let config = with("LATCHKEY_LISTEN", "[::1]:8080").expect("good");
    assert_eq!(config.listen.to_string(), "[::1]:8080");
    assert_eq!(
        refusal("LATCHKEY_LISTEN", "abc"),
        "LATCHKEY_LISTEN: 'abc' is not an address: write one like 127.0.0.1:3000"
    );
    for bad in [
        "127.0.0.1",
        "localhost:3000",
        "127.0.0.1:70000",
        ":3000",
        " ",
    ] {
        refusal("LATCHKEY_LISTEN", bad);
    }
    assert!(refusal("LATCHKEY_LISTEN", "a\nb").contains("'a\\u{a}b'"));
}

#[test]
fn metrics_listen() {
    let config = with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:9100").expect("good");
    assert_eq!(
        config.metrics_listen.map(|address| address.port()),
        Some(9100)
    );
    assert!(refusal("LATCHKEY_METRICS_LISTEN", "on").contains("'on' is not an address"));
}

#[test]
fn public_url() {
    for good in [
        "https://keys.example",
        "http://192.0.2.7:8080/",
        "https://keys.example:8443",
    ] {
        let config = with("LATCHKEY_PUBLIC_URL", good).expect(good);
        let origin = config.public_url.expect("set").origin();
        assert_eq!(origin.ascii_serialization(), good.trim_end_matches('/'));
    }
    for bad in [
        "keys.example",
        "ftp://keys.example",
        "https://keys.example/console",
        "https://keys.example?x=1",
        "https://keys.example/#x",
        "https://mira:hunter2@keys.example",
        "https://",
    ] {
        let line = refusal("LATCHKEY_PUBLIC_URL", bad);
        assert!(
            line.contains("write one like https://keys.example"),
            "{line}"
        );
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn trusted_proxies() {
    let config = with("LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::7").expect("good");
    for (address, trusted) in [
        ("10.9.9.9", true),
        ("2001:db8::7", true),
        ("192.0.2.1", false),
    ] {
        assert_eq!(
            config
                .trusted_proxies
                .contains(address.parse().expect("address")),
            trusted
        );
    }
    let line = refusal("LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/33");
    assert!(
        line.contains("'10.0.0.0/33' is not an IP address or CIDR range: write some like"),
        "{line}"
    );
}

#[test]
fn key_prefix() {
    let config = with("LATCHKEY_KEY_PREFIX", "acme_live").expect("good");
    assert_eq!(config.store_options(false).key_prefix.as_str(), "acme_live");
    for bad in ["Lk", "9lk", "lk-live", "a23456789012345_7"] {
        let line = refusal("LATCHKEY_KEY_PREFIX", bad);
        assert!(line.contains(&format!("'{bad}': it must be")), "{line}");
    }
}

#[test]
fn the_second_factor_of_super_users() {
    const NAME: &str = "LATCHKEY_REQUIRE_SECOND_FACTOR";
    for (text, is_required) in [("on", true), ("OFF", false)] {
        assert_eq!(
            with(NAME, text).expect(text).require_second_factor,
            is_required
        );
    }
    let line = refusal(NAME, "yes");
    assert!(line.contains("'yes' is neither on nor off"), "{line}");
}

#[test]
fn an_encryption_key_is_hidden_and_a_malformed_one_does_not_prevent_the_start() {
    for key in ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "not-a-key"] {
        let config = with("LATCHKEY_ENCRYPTION_KEY", key).expect("a configuration");
        assert!(!format!("{config:?}").contains(key));
        let options = config.store_options(true);
        assert!(!format!("{options:?}").contains(key));
        assert_eq!(
            options.second_factor.keys.fault().is_some(),
            key == "not-a-key"
        );
    }
}

#[test]
fn counts() {
    let config = with("LATCHKEY_DEFAULT_KEY_LIMIT", "50").expect("good");
    assert_eq!(config.store_options(false).default_key_limit, 50);
    let config = with("LATCHKEY_EXPIRING_SOON_DAYS", "7").expect("good");
    assert_eq!(config.store_options(false).expiring_soon_days, 7);
    let config = with("LATCHKEY_REVOKED_KEYS_KEPT", "500").expect("good");
    assert_eq!(config.revoked_keys_kept, 500);
    assert_eq!(
        with("RUST_LOG", "info").expect("good").revoked_keys_kept,
        10_000
    );
    for variable in [
        "LATCHKEY_DEFAULT_KEY_LIMIT",
        "LATCHKEY_EXPIRING_SOON_DAYS",
        "LATCHKEY_REVOKED_KEYS_KEPT",
    ] {
        for bad in ["-1", "+5", "ten", "1.5", "4294967296", "1000001", " 5"] {
            let line = refusal(variable, bad);
            assert!(
                line.contains(&format!("'{bad}' is not a number from 0 to")),
                "{line}"
            );
        }
    }
}

#[test]
fn log() {
    for good in [
        "debug",
        "WARN",
        "info,sqlx=warn",
        "off",
        "server=trace,info",
    ] {
        assert_eq!(with("RUST_LOG", good).expect(good).log, good);
    }
    for bad in ["debgu", "info,verbose", "sqlx=loud", "==="] {
        let line = refusal("RUST_LOG", bad);
        assert!(
            line.contains("is not a log filter: write off, error"),
            "{line}"
        );
    }
}
