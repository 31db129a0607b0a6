//! `ETag` and `If-Match` (RFC 9110): refuses edits of a version that the client has not seen.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    Error, FieldError,
    key::{ApiKey, IssuedKey},
    propagation::Written,
};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;

/// The entity tag of a key: its version, which administrators' changes increment and use does not.
fn etag_of(key: &ApiKey) -> HeaderValue {
    etag(key.version)
}

/// The entity tag of a version.
pub(crate) fn etag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&tag(version))
        .expect("a number between quotation marks is a header value")
}

fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// A key response with its entity tag.
pub(crate) struct TaggedKey<T>(HeaderValue, T);

impl TaggedKey<ApiKey> {
    /// A response with a key.
    pub(crate) fn new(key: ApiKey) -> Self {
        Self(etag_of(&key), key)
    }
}

impl TaggedKey<Written<ApiKey>> {
    /// A response with a changed key.
    pub(crate) fn changed(changed: Written<ApiKey>) -> Self {
        Self(etag_of(&changed.value), changed)
    }
}

impl TaggedKey<Written<IssuedKey>> {
    /// A response with a key and its new secret.
    pub(crate) fn rotated(rotated: Written<IssuedKey>) -> Self {
        Self(etag_of(&rotated.value.key), rotated)
    }
}

impl TaggedKey<IssuedKey> {
    /// A response with a new key and its secret.
    pub(crate) fn issued(issued: IssuedKey) -> Self {
        Self(etag_of(&issued.key), issued)
    }
}

impl<T: Serialize> IntoResponse for TaggedKey<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, self.0)], Json(self.1)).into_response()
    }
}

/// A parsed `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Absent or `*`: any version.
    Any,
    /// One of these versions.
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// Parses all lines of the header as one list.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is neither `*` nor a list of entity tags.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, Error> {
        let mut lines = Vec::new();
        for line in headers.get_all(header::IF_MATCH) {
            lines.push(line.to_str().map_err(|_| malformed())?);
        }
        if lines.is_empty() {
            return Ok(Self::Any);
        }
        let list = lines.join(",");
        if list.trim() == "*" {
            return Ok(Self::Any);
        }
        parse_list(&list).map(Self::OneOf).ok_or_else(malformed)
    }

    /// The version that the store must find; `None` for any.
    ///
    /// # Errors
    /// [`Error::Stale`] if none of the tags is that of `current`.
    pub(crate) fn expected_version(&self, current: &ApiKey) -> Result<Option<i64>, Error> {
        self.expected(current.version)
    }

    /// As [`Self::expected_version`], for the current version of any resource.
    ///
    /// # Errors
    /// [`Error::Stale`] if none of the tags is that of `current`.
    pub(crate) fn expected(&self, current: i64) -> Result<Option<i64>, Error> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(versions) if versions.contains(&current) => Ok(Some(current)),
            Self::OneOf(_) => Err(Error::Stale),
        }
    }
}

fn malformed() -> Error {
    Error::Invalid(vec![FieldError::new(
        "If-Match",
        "Must be * or entity tags in quotation marks, as an ETag has them",
    )])
}

/// The version in a tag; `None` if this server did not issue the tag.
///
/// A compressing proxy changes entity tags: nginx turns `"1"` into `W/"1"`, Apache and Caddy into `"1-gzip"`, others into `"1;br"` or
/// `"1--gzip"`. The tags of this server contain only a version counter, so all of these identify the same version.
fn version_of(opaque: &str) -> Option<i64> {
    const SEPARATORS: [char; 4] = ['-', ';', ':', '/'];
    let (digits, coding) = match opaque.split_once(SEPARATORS) {
        Some((digits, rest)) => (digits, Some(rest.trim_start_matches(SEPARATORS))),
        None => (opaque, None),
    };
    let is_coding =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let version: i64 = digits.parse().ok()?;
    // Canonical digits only: not `+1` or `01`.
    (version.to_string() == digits && coding.is_none_or(is_coding)).then_some(version)
}

/// The versions in a list of tags. Empty elements are skipped, as in every HTTP list.
fn parse_list(list: &str) -> Option<Vec<i64>> {
    let mut versions = Vec::new();
    let mut rest = list;
    let mut is_empty = true;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!is_empty).then_some(versions);
        }
        is_empty = false;
        let text = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let end = text.find('"')?;
        if !text[..end]
            .bytes()
            .all(|byte| byte == 0x21 || (0x23..=0x7e).contains(&byte))
        {
            return None;
        }
        versions.extend(version_of(&text[..end]));
        rest = text[end + 1..].trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p77_lists_are_read_as_http_has_them_and_tags_as_proxies_make_them() {
        let cases: [(&str, Option<&[i64]>); 24] = [
            ("\"1\"", Some(&[1])),
            ("\"1\", \"2\"", Some(&[1, 2])),
            ("\"1\",,\"2\",", Some(&[1, 2])),
            ("W/\"1\"", Some(&[1])),
            ("W/\"1\" , \"1,2\"", Some(&[1])),
            ("\"12-gzip\"", Some(&[12])),
            ("W/\"12-gzip\"", Some(&[12])),
            ("\"1;br\"", Some(&[1])),
            ("\"1--gzip\"", Some(&[1])),
            ("\"1:zstd\"", Some(&[1])),
            ("\"1/deflate\"", Some(&[1])),
            ("\"1-\"", Some(&[])),
            ("\"1-2-gzip\"", Some(&[])),
            ("\"-gzip\"", Some(&[])),
            ("\"01\"", Some(&[])),
            ("\"+1\"", Some(&[])),
            ("\"1x\"", Some(&[])),
            ("\"\"", Some(&[])),
            ("1", None),
            ("\"1", None),
            ("\"1\" \"2\"", None),
            ("w/\"1\"", None),
            ("*, \"1\"", None),
            (" , ", None),
        ];
        for (list, expected) in cases {
            let expected = expected.map(<[i64]>::to_vec);
            assert_eq!(parse_list(list), expected, "{list}");
        }
    }
}
