//! What a query string asks for, read strictly: what is not understood is refused, all of it at once.

use std::collections::BTreeMap;

use domain::{
    Error, FieldError,
    key::{
        KeyStatus,
        expiry::ExpirationState,
        query::{KeyQuery, KeySort},
    },
    page, text,
};
use percent_encoding::percent_decode_str;

/// Longest search, in characters: that of a description, which is the longest text it can be found in.
const MAX_SEARCH: usize = 1_000;
/// Longest name of an unknown parameter that a message repeats, in characters.
const MAX_QUOTED: usize = 64;

/// Reads the parameters of a list of keys. An empty value is as good as none.
///
/// # Errors
/// [`Error::Invalid`] with every parameter that is unknown, doubled, or has a value that is none of its own.
pub(crate) fn parse_key_query(query: &str) -> Result<KeyQuery, Error> {
    const KNOWN: [&str; 6] = ["status", "expiration", "q", "sort", "limit", "cursor"];
    let mut errors = Vec::new();
    let mut values = parameters(query, &KNOWN, &mut errors);
    let mut parse = |name: &'static str, message: &str, parsed: &mut dyn FnMut(&str) -> bool| {
        if let Some(value) = values.get(name)
            && !parsed(value)
        {
            errors.push(FieldError::new(name, message));
        }
    };
    let mut wanted = KeyQuery::default();
    parse("status", "Must be active or revoked", &mut |value| {
        wanted.status = KeyStatus::from_word(value);
        wanted.status.is_some()
    });
    parse(
        "expiration",
        "Must be valid, expiring_soon or expired",
        &mut |value| {
            wanted.expiration = ExpirationState::from_word(value);
            wanted.expiration.is_some()
        },
    );
    parse(
        "q",
        "Must be at most 1,000 characters, without control characters",
        &mut |value| {
            wanted.q = value.to_owned();
            text::length(value) <= MAX_SEARCH && !value.contains(text::is_control)
        },
    );
    parse(
        "sort",
        "Must be name, status, authorization_group, expires_on, last_used_at or created_at, with - before it for descending",
        &mut |value| {
            let sort = KeySort::parse(value);
            wanted.sort = sort.unwrap_or_default();
            sort.is_some()
        },
    );
    parse("limit", "Must be a number from 1 to 100", &mut |value| {
        let limit = parse_limit(value);
        wanted.limit = limit.unwrap_or(page::DEFAULT_LIMIT);
        limit.is_some()
    });
    wanted.cursor = values.remove("cursor");
    if errors.is_empty() {
        Ok(wanted)
    } else {
        Err(Error::Invalid(errors))
    }
}

/// The parameters that have a value, decoded; whatever is not one of `known`, once, goes into `errors`.
fn parameters(
    query: &str,
    known: &[&str],
    errors: &mut Vec<FieldError>,
) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decode(name), decode(value)) else {
            let name = name.chars().take(MAX_QUOTED).collect::<String>();
            errors.push(FieldError::new(name, "Must be percent-encoded UTF-8"));
            continue;
        };
        if !known.contains(&name.as_str()) {
            let name = name.chars().take(MAX_QUOTED).collect::<String>();
            errors.push(FieldError::new(name, "Is not a parameter of this list"));
        } else if seen.insert(name.clone(), value).is_some() {
            errors.push(FieldError::new(name, "Must be given once"));
        }
    }
    seen.retain(|_, value| !value.is_empty());
    seen
}

fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text)
        .decode_utf8()
        .ok()
        .map(|decoded| decoded.into_owned())
}

/// Decimal digits without sign or leading zero.
fn parse_limit(text: &str) -> Option<u32> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let limit = decimal.then(|| text.parse().ok()).flatten()?;
    (1..=page::MAX_LIMIT).contains(&limit).then_some(limit)
}
