//! Strict decoding of query strings and forms. Common decoders replace invalid UTF-8 and keep an invalid `%`, which silently changes
//! the input.

use percent_encoding::percent_decode;

/// Decodes a name or a value; `None` if a `%` is not followed by two hexadecimal digits or the result is not UTF-8.
pub(crate) fn decode(text: &[u8]) -> Option<String> {
    if !has_whole_escapes(text) {
        return None;
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let decoded = percent_decode(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Whether [`decode`] accepts every name and value.
pub(crate) fn is_well_formed(text: &[u8]) -> bool {
    text.split(|byte| matches!(byte, b'&' | b'='))
        .all(|part| decode(part).is_some())
}

/// Whether a query string contains the parameter `name` more than once.
pub(crate) fn is_given_twice(query: &str, name: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes())
        .filter(|(found, _)| found == name)
        .nth(1)
        .is_some()
}

fn has_whole_escapes(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'%').skip(1).all(|rest| {
        rest.get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_escapes_of_utf_8_are_read() {
        for (text, decoded) in [
            ("a+b%20c", Some("a b c")),
            ("%C3%BC", Some("ü")),
            ("%00", Some("\0")),
            ("100%", None),
            ("100%2", None),
            ("%u0041", None),
            ("%ff%fe", None),
            ("%ED%A0%80", None),
            ("%+1", None),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), decoded, "{text}");
        }
        assert!(is_well_formed(b"a=%C3%BC&b=&&c"));
        assert!(!is_well_formed(b"a=1&b=%C3&c=%BC"));
        assert!(is_given_twice("tenant=a&x=1&t%65nant=b", "tenant"));
        assert!(!is_given_twice("tenant=a&tenants=b", "tenant"));
    }
}
