//! Valid reasons for a revocation.

use domain::key::reason::{InvalidReason, RevocationReason};

#[test]
fn a_reason_is_one_plain_line_of_at_most_200_characters() {
    let parse = str::parse::<RevocationReason>;
    assert_eq!(parse("  Laptop lost ").unwrap().as_str(), "Laptop lost");
    assert_eq!(parse("e\u{301}").unwrap().as_str(), "\u{e9}");
    assert!(parse(&"🔑".repeat(200)).is_ok());
    assert_eq!(parse(&"a".repeat(201)), Err(InvalidReason::Length));
    for text in [
        "a\nb",
        "a\tb",
        "a\0b",
        "a\u{202e}b",
        "a\u{2028}b",
        "a\u{7f}b",
    ] {
        assert_eq!(parse(text), Err(InvalidReason::Character), "{text:?}");
    }
    assert_eq!(parse(" \n "), Err(InvalidReason::Empty));
}

#[test]
fn a_blank_field_is_no_reason() {
    assert_eq!(RevocationReason::optional(" "), Ok(None));
    let given = RevocationReason::optional("Lost").unwrap();
    assert_eq!(given.unwrap().as_str(), "Lost");
    let refused = RevocationReason::optional("a\nb");
    assert_eq!(refused, Err(InvalidReason::Character));
}

#[test]
fn what_a_page_sends_is_checked_as_it_is_read() {
    let read = serde_json::from_str::<RevocationReason>;
    assert_eq!(read("\"Lost\"").unwrap().to_string(), "Lost");
    assert!(read("\"a\\u202eb\"").is_err());
    assert!(read("\"\"").is_err());
}
