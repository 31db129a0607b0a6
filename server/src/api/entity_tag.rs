//! `ETag` and `If-Match` (RFC 9110): refuses edits of a version that the client has not seen.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    Error, FieldError,
    group::AuthorizationGroup,
    key::{ApiKey, IssuedKey},
    propagation::Written,
};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use utoipa::IntoParams;

/// A resource with a version, which administrators' changes increment and use does not.
pub(crate) trait Versioned {
    fn version(&self) -> i64;
}

impl Versioned for ApiKey {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Versioned for AuthorizationGroup {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Versioned for IssuedKey {
    fn version(&self) -> i64 {
        self.key.version
    }
}

impl<T: Versioned> Versioned for Written<T> {
    fn version(&self) -> i64 {
        self.value.version()
    }
}

/// A JSON response with the entity tag of its resource.
pub(crate) struct Tagged<T>(pub(crate) T);

impl<T: Serialize + Versioned> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let tag = HeaderValue::from_str(&format!("\"{}\"", self.0.version()))
            .expect("a number between quotation marks is a header value");
        ([(header::ETAG, tag)], Json(self.0)).into_response()
    }
}

/// The header `If-Match` in the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "describes the header; the handlers read it themselves"
)]
pub(crate) struct IfMatchParameter {
    /// Entity tags of the resource, or `*`. 412 unless one of them is the current one
    #[param(
        rename = "If-Match",
        pattern = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#
    )]
    if_match: Option<String>,
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
