//! The rules of `docs/secret-scanning.md`, run on texts with secrets and without.

use std::{fs, path::Path};

use regex::Regex;

use crate::support::binary::Latchkey;

/// The regular expressions of the document, by the tool that they are for.
fn rules() -> Vec<(&'static str, Regex)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/secret-scanning.md");
    let document = fs::read_to_string(path).unwrap();
    let between = |start: &str, end: &str| {
        let rest = document.split_once(start).unwrap().1;
        rest.split_once(end).unwrap().0.to_owned()
    };
    [
        ("gitleaks", between("regex = '''", "'''")),
        ("TruffleHog", between("key: '", "'")),
        ("GitHub", between("```text\n", "\n```")),
    ]
    .map(|(tool, text)| (tool, Regex::new(&text).expect(tool)))
    .into()
}

fn found<'a>(rule: &Regex, text: &'a str) -> Vec<&'a str> {
    rule.captures_iter(text)
        .map(|found| found.get(1).unwrap().as_str())
        .collect()
}

#[test]
fn each_rule_finds_issued_secrets_and_nothing_else() {
    let latchkey = Latchkey::new();
    latchkey.create_tenant("Acme", 100);
    latchkey.create_group("acme", "Orders", &["orders:read"]);
    for number in 0..20 {
        let secret = latchkey
            .create_key("acme", "Orders", &format!("Key {number}"))
            .secret;
        let texts = [
            secret.clone(),
            format!("LATCHKEY_KEY={secret}\nOTHER=1\n"),
            format!("api_key: \"{secret}\"\n"),
            format!("{{\"key\":\"{secret}\",\"id\":7}}"),
            format!("curl -H 'X-API-Key: {secret}' https://keys.example"),
            format!("https://keys.example/orders?key={secret}&page=2"),
            format!("const KEY = `{secret}`;"),
            format!("<!-- {secret} -->"),
            format!("The key is {secret}."),
        ];
        let one_less = &secret[..secret.len() - 1];
        let other = [
            format!("key={one_less}"),
            format!("key={secret}7"),
            format!("key=x{secret}"),
            format!("key={}", secret.replace("lk_", "sk_")),
            format!("key={}", secret.replace("lk_", "LK_")),
            format!("key={}", secret.replacen("lk_", "lk-", 1)),
            format!("key={one_less}-"),
        ];
        for (tool, rule) in &rules() {
            for text in &texts {
                assert_eq!(found(rule, text), [secret.as_str()], "{tool}");
            }
            for text in &other {
                assert!(
                    found(rule, text).is_empty(),
                    "{tool}: a text that is no secret is found"
                );
            }
        }
    }
}
