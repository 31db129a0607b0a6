use domain::{
    key::name::{InvalidText, KeyDescription, KeyName},
    tenant::Slug,
    user::Email,
};
use proptest::prelude::*;

fn name(text: &str) -> Result<KeyName, InvalidText> {
    text.parse()
}

#[test]
fn p57_a_name_has_2_to_200_scalar_values_after_trim_and_nfc() {
    for (text, good) in [
        ("a".to_owned(), false),
        ("a".repeat(2), true),
        ("a".repeat(200), true),
        ("a".repeat(201), false),
        ("🔑".repeat(200), true),
        ("🔑".repeat(201), false),
        (format!("  {}  ", "a".repeat(200)), true),
        // An `e` and a combining accent compose to one scalar value.
        ("e\u{301}".repeat(200), true),
        ("e\u{301}".into(), false),
    ] {
        assert_eq!(name(&text).is_ok(), good, "{text:?}");
    }
    assert_eq!(
        name("x").expect_err("too short").to_string(),
        "Must be 2–200 characters"
    );
    assert_eq!(name("  \u{a0}\u{2003} "), Err(InvalidText::NameLength));
}

#[test]
fn c13_a_name_has_two_visible_characters() {
    for text in [
        "\u{200b}\u{200b}",
        "a\u{200b}",
        "\u{2060}a\u{feff}\u{ad}",
        "\u{3164}\u{3164}\u{115f}",
        "\u{fe0f}x\u{e0041}",
        "a\u{a0}\u{200c}",
    ] {
        assert_eq!(name(text), Err(InvalidText::Invisible), "{text:?}");
    }
    assert_eq!(
        InvalidText::Invisible.to_string(),
        "Must have at least 2 visible characters"
    );
    for text in ["a\u{200d}b", "\u{1f469}\u{200d}\u{1f4bb}", "क्\u{200d}ष"] {
        assert!(name(text).is_ok(), "{text:?}");
    }
    // Names stored by an earlier version stay valid.
    assert!(KeyName::try_from("\u{200b}\u{200b}".to_owned()).is_ok());
}

#[test]
fn c09_an_email_address_has_one_spelling() {
    for (typed, canonical) in [
        ("Ann@M\u{fc}nchen.Example", "ann@xn--mnchen-3ya.example"),
        ("ann@xn--mnchen-3ya.example", "ann@xn--mnchen-3ya.example"),
        (
            "j\u{f6}rg@b\u{fc}ro.example",
            "j\u{f6}rg@xn--bro-hoa.example",
        ),
        ("a@stra\u{df}e.example", "a@xn--strae-oqa.example"),
        // Text that is not a domain name is kept unchanged.
        ("a@under_score.example", "a@under_score.example"),
        ("a@xn--\u{fc}", "a@xn--\u{fc}"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
    ] {
        let email: Email = typed.parse().expect("an address");
        assert_eq!(email.as_str(), canonical);
        let again: Email = canonical.parse().expect("an address");
        assert_eq!(again, email);
    }
}

#[test]
fn p57_controls_nul_and_bidirectional_overrides_are_refused() {
    for character in [
        '\0', '\u{1}', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{202a}', '\u{202e}',
        '\u{2066}', '\u{2069}', '\u{2028}',
    ] {
        assert_eq!(
            name(&format!("ab{character}cd")),
            Err(InvalidText::Character),
            "{character:?}"
        );
    }
    assert!(name("<img src=x onerror=alert(1)>").is_ok());
    assert!(name("ناقل البيانات").is_ok());
}

#[test]
fn a_description_counts_line_breaks_as_one_character() {
    let description = |text: &str| text.parse::<KeyDescription>();
    assert_eq!(description("one\r\ntwo"), description("one\ntwo"));
    assert_eq!(KeyDescription::length_of("one\r\ntwo"), 7);
    assert!(description(&"x".repeat(1_000)).is_ok());
    assert_eq!(
        description(&"x".repeat(1_001))
            .expect_err("too long")
            .to_string(),
        "Must be at most 1,000 characters"
    );
    assert_eq!(description("a\0b"), Err(InvalidText::Character));
    assert_eq!(description("").expect("empty is fine").as_str(), "");
}

#[test]
fn slugs_and_emails_are_validated() {
    assert_eq!(
        Slug::from_name("Acme Logistics GmbH & Co.")
            .expect("a slug")
            .as_str(),
        "acme-logistics-gmbh-co"
    );
    assert!(Slug::from_name("日本").is_err());
    for slug in ["", "-a", "a-", "A", "a b", "ä"] {
        assert!(slug.parse::<Slug>().is_err(), "{slug:?}");
    }
    assert_eq!(
        " Mira@Acme.example "
            .parse::<Email>()
            .expect("an address")
            .as_str(),
        "mira@acme.example"
    );
    for email in [
        "",
        "mira",
        "@acme.example",
        "mira@",
        "mi ra@acme.example",
        "a@b@c",
        "mira@acme\u{202e}.example",
    ] {
        assert!(email.parse::<Email>().is_err(), "{email:?}");
    }
}

proptest! {
    #[test]
    fn normalising_a_name_twice_changes_nothing(text in "\\PC{0,220}") {
        if let Ok(name) = name(&text) {
            prop_assert_eq!(name.as_str().parse::<KeyName>(), Ok(name.clone()));
            prop_assert!((2..=200).contains(&name.as_str().chars().count()));
        }
    }
}
