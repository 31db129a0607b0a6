//! Encodings in which a secret may appear.

/// Every encoding of a secret that a log or a database could contain.
pub(super) fn encodings_of(secret: &str) -> Vec<(&'static str, String)> {
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let escaped: String = secret
        .bytes()
        .map(|byte| format!("\\x{byte:02x}"))
        .collect();
    let encoded = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    let mut encodings = vec![
        ("plain", secret.to_owned()),
        ("hexadecimal", hexadecimal.clone()),
        ("upper-case hexadecimal", hexadecimal.to_uppercase()),
        ("escaped", escaped),
        ("form-encoded", encoded),
        ("percent-encoded", percent.to_string()),
        (
            "a list of bytes",
            format!("{:?}", secret.as_bytes())
                .trim_matches(['[', ']'])
                .to_owned(),
        ),
        ("quoted", format!("{secret:?}").trim_matches('"').to_owned()),
    ];
    // Preceding bytes shift base64 by up to two bytes; the omitted characters at both ends depend on neighbouring bytes.
    for shift in 0..3 {
        let shifted = format!("{}{secret}", "\0".repeat(shift));
        let whole = base64(shifted.as_bytes());
        let inner = &whole[if shift == 0 { 0 } else { 4 }..whole.len() - 4];
        encodings.push(("base64", inner.to_owned()));
        encodings.push(("base64 for URLs", inner.replace('+', "-").replace('/', "_")));
    }
    encodings
}

/// Base64 (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, index| {
            number << 8 | u32::from(chunk.get(index).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            let padding = digit > chunk.len();
            let value = (number >> (18 - 6 * digit)) & 63;
            text.push(if padding {
                '='
            } else {
                DIGITS[value as usize] as char
            });
        }
    }
    text
}

pub(super) fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

#[test]
fn the_search_finds_every_encoding() {
    assert_eq!(base64(b"lk_\xff"), "bGtf/w==");
    let secret = "lk_0dawgh/é";
    for (encoding, text) in encodings_of(secret) {
        assert!(
            contains(format!("x {text} y").as_bytes(), &text),
            "{encoding}"
        );
        assert!(
            text.len() >= 8,
            "{encoding} of {secret} is {text}: too short to be significant"
        );
    }
    let shifted = base64(format!("k={secret};").as_bytes());
    assert!(
        encodings_of(secret)
            .iter()
            .any(|(_, text)| shifted.contains(text)),
        "{shifted}"
    );
}
