//! `ETag` and `If-Match` (RFC 9110): whether somebody changes what they have seen.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    Error, FieldError,
    key::{ApiKey, ChangedKey, IssuedKey, RotatedKey},
};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;

/// The entity tag of a key: its version, which counts what an administrator changes and not when it was used.
fn of(key: &ApiKey) -> HeaderValue {
    HeaderValue::from_str(&tag(key.version))
        .expect("a number between quotation marks is a header value")
}

fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// A key, with the entity tag that an edit can be made conditional on.
pub(crate) struct TaggedKey<T>(HeaderValue, T);

impl TaggedKey<ApiKey> {
    /// A key.
    pub(crate) fn new(key: ApiKey) -> Self {
        Self(of(&key), key)
    }
}

impl TaggedKey<ChangedKey> {
    /// A key that was changed.
    pub(crate) fn changed(changed: ChangedKey) -> Self {
        Self(of(&changed.key), changed)
    }
}

impl TaggedKey<RotatedKey> {
    /// A key with its new secret.
    pub(crate) fn rotated(rotated: RotatedKey) -> Self {
        Self(of(&rotated.key), rotated)
    }
}

impl TaggedKey<IssuedKey> {
    /// A key with its secret.
    pub(crate) fn issued(issued: IssuedKey) -> Self {
        Self(of(&issued.key), issued)
    }
}

impl<T: Serialize> IntoResponse for TaggedKey<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, self.0)], Json(self.1)).into_response()
    }
}

/// What `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// It is absent, or `*`: whatever the key is now.
    Any,
    /// One of these strong tags. None of them, where all that were sent are weak: those never match.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// Reads the header, all of its lines as one list.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is neither `*` nor a list of entity tags.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Error> {
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

    /// The version that a change of `current` is to expect; `None` for any.
    ///
    /// # Errors
    /// [`Error::Stale`] where none of the tags is that of `current`.
    pub(crate) fn expected_version(&self, current: &ApiKey) -> Result<Option<i64>, Error> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(tags) if tags.contains(&tag(current.version)) => Ok(Some(current.version)),
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

/// The strong tags of a list, quotation marks included. Empty elements are let pass, as lists of HTTP have them.
fn parse_list(list: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    let mut rest = list;
    let mut is_empty = true;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!is_empty).then_some(tags);
        }
        is_empty = false;
        let (is_weak, opaque) = match rest.strip_prefix("W/") {
            Some(opaque) => (true, opaque),
            None => (false, rest),
        };
        let text = opaque.strip_prefix('"')?;
        let end = text.find('"')?;
        if !text[..end]
            .bytes()
            .all(|byte| byte == 0x21 || (0x23..=0x7e).contains(&byte))
        {
            return None;
        }
        if !is_weak {
            tags.push(opaque[..end + 2].to_owned());
        }
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
    fn lists_are_read_as_http_has_them_and_weak_tags_never_match() {
        let cases: [(&str, Option<&[&str]>); 12] = [
            ("\"1\"", Some(&["\"1\""])),
            ("\"1\", \"2\"", Some(&["\"1\"", "\"2\""])),
            ("\"1\",,\"2\",", Some(&["\"1\"", "\"2\""])),
            ("W/\"1\"", Some(&[])),
            ("W/\"1\" , \"1,2\"", Some(&["\"1,2\""])),
            ("\"\"", Some(&["\"\""])),
            ("1", None),
            ("\"1", None),
            ("\"1\" \"2\"", None),
            ("w/\"1\"", None),
            ("*, \"1\"", None),
            (" , ", None),
        ];
        for (list, expected) in cases {
            let expected = expected.map(|tags| tags.iter().map(ToString::to_string).collect());
            assert_eq!(parse_list(list), expected, "{list}");
        }
    }
}
