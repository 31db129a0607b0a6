//! The `Host` of a request (RFC 9112, section 3.2): one line with a host and an optional port.
//!
//! The host is put into links and into the curl line of a new secret. With two lines, two parsers could use different hosts.

use http::{HeaderMap, Version, header};

/// Whether a request has exactly one valid `Host`. HTTP/1.0, which health checks still use, may omit it.
pub(crate) fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) => version < Version::HTTP_11,
        (Some(line), None) => is_host_and_port(line.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

fn is_host_and_port(text: &[u8]) -> bool {
    let host = match text.iter().rposition(|byte| *byte == b':') {
        // A colon inside the brackets of an IPv6 address does not start a port.
        Some(colon) if !text[colon..].contains(&b']') => {
            let port = &text[colon + 1..];
            if port.len() > 5 || !port.iter().all(u8::is_ascii_digit) {
                return false;
            }
            &text[..colon]
        }
        _ => text,
    };
    match host.strip_prefix(b"[") {
        Some(address) => (address.strip_suffix(b"]"))
            .and_then(|address| std::str::from_utf8(address).ok())
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            let is_of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
            (1..=255).contains(&host.len()) && host.iter().all(is_of_a_name)
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for good in [
            "keys.example",
            "KEYS.example:8443",
            "localhost:3000",
            "192.0.2.7",
            "[2001:db8::1]",
            "[::1]:3000",
            "my_service.default.svc.",
            "keys.example:",
        ] {
            assert!(is_host_and_port(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "evil.example$(id)",
            "a b",
            "x/path",
            "user@evil",
            "a'b",
            "a\"b",
            ";curl",
            "a:b",
            "a:80:80",
            "a:123456",
            "[::1",
            "[a]",
            "[::1]x",
            "::1",
            "a,b",
            "a%41",
            "\u{e4}.example",
        ] {
            assert!(!is_host_and_port(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn there_is_one_line_of_it() {
        let mut headers = HeaderMap::new();
        assert!(!names_one_host(Version::HTTP_11, &headers));
        assert!(names_one_host(Version::HTTP_10, &headers));
        headers.append(header::HOST, HeaderValue::from_static("a.example"));
        assert!(names_one_host(Version::HTTP_11, &headers));
        headers.append(header::HOST, HeaderValue::from_static("a.example"));
        assert!(!names_one_host(Version::HTTP_11, &headers));
    }
}
