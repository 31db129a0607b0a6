//! Content codings (RFC 9110, section 8.4.1): negotiation and compression of responses.
//!
//! Only responses marked with [`compressible`] are compressed. The length of a compressed text leaks information about its content, so a
//! response with a secret is never marked.

use std::io::Write as _;

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::BodyExt as _;
use serde::Serialize;

/// Bodies below this size, in bytes, are not compressed.
const MIN_COMPRESSED_SIZE: usize = 1_024;
/// Brotli's quality from 0 to 11. Above 5 the time rises faster than the size falls.
const BROTLI_QUALITY: i32 = 4;
/// The logarithm of brotli's window: 256 KiB, more than the largest page.
const BROTLI_WINDOW: i32 = 18;

/// A content coding, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    /// The suffix of a precompressed file.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
            Self::Identity => "",
        }
    }
}

/// Marks a response that may be compressed.
#[derive(Clone, Copy, Debug)]
struct Compressible;

/// Marks a response as compressible: long and without a secret.
pub(crate) fn compressible(mut response: Response) -> Response {
    response.extensions_mut().insert(Compressible);
    response
}

/// A compressible JSON list. Must not contain a secret.
pub(crate) struct ListJson<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for ListJson<T> {
    fn into_response(self) -> Response {
        compressible(Json(self.0).into_response())
    }
}

/// Whether a response is marked.
pub(crate) fn is_compressible(response: &Response) -> bool {
    response.extensions().get::<Compressible>().is_some()
}

/// Compresses a marked response in the client's preferred coding. `accepted` is the request's `Accept-Encoding`.
pub(crate) async fn compress(accepted: Option<HeaderValue>, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    parts
        .headers
        .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let encoding = Accepted::from_lines(&accepted).best();
    if encoding == Encoding::Identity {
        return Response::from_parts(parts, body);
    }
    let Ok(collected) = body.collect().await else {
        // Response bodies are in memory, so this indicates a defect.
        tracing::error!("response body unreadable: responding 500");
        return http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let content = collected.to_bytes();
    if content.len() < MIN_COMPRESSED_SIZE {
        return Response::from_parts(parts, Body::from(content));
    }
    match compress_bytes(encoding, &content) {
        Ok(compressed) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            let name = HeaderValue::from_static(encoding.name());
            parts.headers.insert(header::CONTENT_ENCODING, name);
            Response::from_parts(parts, Body::from(compressed))
        }
        Err(error) => {
            tracing::warn!(%error, "response compression failed: sent uncompressed");
            Response::from_parts(parts, Body::from(content))
        }
    }
}

fn compress_bytes(encoding: Encoding, content: &Bytes) -> std::io::Result<Vec<u8>> {
    let mut compressed = Vec::with_capacity(content.len() / 4);
    match encoding {
        Encoding::Brotli => {
            let parameters = BrotliEncoderParams {
                quality: BROTLI_QUALITY,
                lgwin: BROTLI_WINDOW,
                size_hint: content.len(),
                ..BrotliEncoderParams::default()
            };
            brotli::BrotliCompress(&mut content.as_ref(), &mut compressed, &parameters)?;
        }
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(compressed, Compression::default());
            encoder.write_all(content)?;
            compressed = encoder.finish()?;
        }
        Encoding::Identity => compressed.extend_from_slice(content),
    }
    Ok(compressed)
}

/// A parsed `Accept-Encoding` (RFC 9110, section 12.5.3), qualities in thousandths.
pub(crate) struct Accepted {
    named: Vec<(String, u16)>,
}

impl Accepted {
    pub(crate) fn from_headers(request: &HeaderMap) -> Self {
        Self::from_lines(request.get_all(header::ACCEPT_ENCODING))
    }

    /// Reads the lines of the header.
    fn from_lines<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let named = lines
            .into_iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(|entry| {
                let mut parts = entry.split(';').map(str::trim);
                let coding = parts.next().filter(|coding| !coding.is_empty())?;
                let quality = parts
                    .find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")))
                    .map_or(1000, thousandths);
                Some((coding.to_ascii_lowercase(), quality))
            })
            .collect();
        Self { named }
    }

    /// The preferred coding.
    fn best(&self) -> Encoding {
        let mut best = (Encoding::Identity, 0);
        for encoding in [Encoding::Brotli, Encoding::Gzip] {
            let quality = self.quality(encoding);
            if quality > best.1 {
                best = (encoding, quality);
            }
        }
        best.0
    }

    /// The quality of a coding in thousandths; 0 if refused.
    pub(crate) fn quality(&self, encoding: Encoding) -> u16 {
        let of = |name: &str| {
            self.named
                .iter()
                .find(|(coding, _)| coding == name)
                .map(|(_, quality)| *quality)
        };
        of(encoding.name())
            .or(of("*"))
            // Unmentioned codings are refused, except identity.
            .unwrap_or(u16::from(encoding == Encoding::Identity))
    }
}

/// Parses a quality from `0` to `1` into thousandths; 0 if malformed.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.parse::<u16>()) {
        ("1", Ok(0)) => 1000,
        ("0", Ok(part)) if digits.len() == 3 => part,
        _ => 0,
    }
}
