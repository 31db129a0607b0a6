//! Strict JSON bodies: right media type, well-formed, no duplicate names.

use std::fmt;

use axum::{
    body::{self, Body},
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use domain::Error;
use http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{error::ApiError, input::Input};

/// The body of a request; `None` if none was sent.
pub(crate) struct JsonBody(pub(crate) Option<Value>);

impl JsonBody {
    /// The body of a route that requires one.
    ///
    /// # Errors
    /// [`ApiError::MalformedJson`] for an empty body.
    pub(crate) fn required(self) -> Result<Value, ApiError> {
        self.0.ok_or(ApiError::MalformedJson)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = collect_body(body).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json(&parts.headers) {
            return Err(ApiError::UnsupportedMediaType {
                method: parts.method,
            });
        }
        let Unambiguous(value) =
            serde_json::from_slice(&bytes).map_err(|_| ApiError::MalformedJson)?;
        Ok(Self(Some(value)))
    }
}

/// Refuses a body on a route that takes none, because its sender expects an effect. An empty object and `null` are accepted, because
/// some clients cannot send less.
pub(crate) struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match JsonBody::from_request(request, state).await?.0 {
            None | Some(Value::Null) => Ok(Self),
            Some(body @ Value::Object(_)) => Ok(Input::from_body(body).finish(Some(Self))?),
            Some(_) => {
                Err(Error::invalid("body", "This takes no body, or an empty JSON object").into())
            }
        }
    }
}

/// Returns the bytes of the body, which `body_limit::collect_body` has received and limited already.
async fn collect_body(body: Body) -> Result<Bytes, ApiError> {
    body::to_bytes(body, usize::MAX)
        .await
        .map_err(|_| ApiError::MalformedJson)
}

/// Whether there is one `Content-Type`, and it is JSON in UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let Ok(line) = line.to_str() else {
        return false;
    };
    let mut parts = line.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// A value without duplicate names. Parsers disagree on which of two counts, so a checking proxy could be bypassed.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("duplicate name"));
            }
        }
        Ok(object.into())
    }
}
