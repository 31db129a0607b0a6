//! The encoding of server functions: arguments and results as JSON.
//!
//! Unlike leptos' own JSON encoding, it parses from a string, as the resources in a document are parsed. Parsing from bytes would add a
//! second copy of every type's parser to the browser's bundle.

use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType, codec::Post};
use serde::{Serialize, de::DeserializeOwned};

/// JSON, parsed from a string.
pub struct PageJsonEncoding;

/// JSON in the body of a POST request and of its response.
pub type PageJson = Post<PageJsonEncoding>;

impl ContentType for PageJsonEncoding {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for PageJsonEncoding {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for PageJsonEncoding {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for PageJsonEncoding {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<T, Self::Error> {
        let text = std::str::from_utf8(&bytes).map_err(serde::de::Error::custom)?;
        from_str(text)
    }
}

/// Parses a result. It may come from a newer server and contain unknown fields.
#[cfg(not(feature = "ssr"))]
fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

/// Parses arguments. Unknown fields are refused at any depth.
#[cfg(feature = "ssr")]
fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut is_unknown = false;
    let value = serde_ignored::deserialize(&mut deserializer, |_| is_unknown = true)?;
    deserializer.end()?;
    if is_unknown {
        return Err(serde::de::Error::custom("unknown field"));
    }
    Ok(value)
}
