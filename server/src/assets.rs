//! The browser's files, built by `cargo xtask build` and embedded in the binary.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use app::ssr::Bundle;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use crate::content_coding::{Accepted, Encoding};

/// The bundle at compile time (server/build.rs).
#[derive(rust_embed::Embed)]
#[cfg_attr(debug_assertions, folder = "../dist/debug")]
#[cfg_attr(not(debug_assertions), folder = "../dist/release")]
struct Embedded;

static EMBEDDED: LazyLock<Assets> = LazyLock::new(|| {
    Assets::new(Embedded::iter().filter_map(|name| {
        let file = Embedded::get(&name)?;
        let content = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let hash = file.metadata.sha256_hash();
        Some((name.into_owned(), content, hash))
    }))
});

/// The `Cache-Control` of files whose names contain a hash of the content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Trunk copies `public` as a folder; its files are served from the root, where browsers expect them.
const PUBLIC_FOLDER: &str = "public/";

/// A file in one content coding.
#[derive(Clone, Debug)]
struct Variant {
    encoding: Encoding,
    content: Bytes,
    /// A strong entity tag of these bytes.
    etag: HeaderValue,
}

/// A file in its content codings, preferred first.
#[derive(Debug)]
struct Asset {
    content_type: HeaderValue,
    cache_control: HeaderValue,
    variants: Vec<Variant>,
}

/// The browser's files, by their URL.
#[derive(Debug)]
pub struct Assets(BTreeMap<String, Asset>);

impl Assets {
    /// The embedded files.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// The files that every page refers to.
    #[must_use]
    pub fn bundle() -> Bundle {
        Self::embedded().find_bundle()
    }

    /// The URL of every file, e.g. `/favicon.svg`.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn new(files: impl IntoIterator<Item = (String, Bytes, [u8; 32])>) -> Self {
        let mut assets = BTreeMap::<String, Asset>::new();
        for (name, content, hash) in files {
            let encoding = match name.rsplit_once('.') {
                Some((_, "br")) => Encoding::Brotli,
                Some((_, "gz")) => Encoding::Gzip,
                _ => Encoding::Identity,
            };
            let name = name.strip_suffix(encoding.ending()).unwrap_or(&name);
            let url = format!("/{}", name.strip_prefix(PUBLIC_FOLDER).unwrap_or(name));
            let asset = assets.entry(url).or_insert_with_key(|url| Asset {
                content_type: HeaderValue::from_static(content_type(url)),
                cache_control: HeaderValue::from_static(if is_hashed(url) {
                    IMMUTABLE
                } else {
                    "no-cache"
                }),
                variants: Vec::new(),
            });
            asset.variants.push(Variant {
                encoding,
                content,
                etag: etag(hash),
            });
            asset.variants.sort_by_key(|variant| variant.encoding as u8);
        }
        // A compressed file without its original cannot be served to every client.
        assets.retain(|_, asset| {
            asset
                .variants
                .iter()
                .any(|variant| variant.encoding == Encoding::Identity)
        });
        Self(assets)
    }

    fn find_bundle(&self) -> Bundle {
        let find = |start: &str, end: &str| {
            self.urls()
                .find(|url| url.starts_with(start) && url.ends_with(end))
                .map(str::to_owned)
        };
        Bundle {
            script: find("/frontend-", ".js"),
            wasm: find("/frontend-", "_bg.wasm"),
            icon: find("/favicon-", ".svg"),
            styles: self
                .urls()
                .filter(|url| url.ends_with(".css"))
                .map(str::to_owned)
                .collect(),
        }
    }

    fn respond(&self, path: &str, request: &HeaderMap) -> Response {
        let Some(asset) = self.0.get(path) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let Some(variant) = asset.best_variant(request) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let mut response = if matches_if_none_match(request, &variant.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Body::from(variant.content.clone()).into_response()
        };
        let mut set = |name: HeaderName, value: HeaderValue| {
            response.headers_mut().insert(name, value);
        };
        set(header::ETAG, variant.etag.clone());
        set(header::CACHE_CONTROL, asset.cache_control.clone());
        set(header::VARY, HeaderValue::from_static("accept-encoding"));
        set(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        set(header::CONTENT_TYPE, asset.content_type.clone());
        if variant.encoding != Encoding::Identity {
            set(
                header::CONTENT_ENCODING,
                HeaderValue::from_static(variant.encoding.name()),
            );
        }
        response
    }
}

/// Serves an embedded file. The router registers this handler for [`Assets::urls`].
pub async fn serve_asset(uri: Uri, headers: HeaderMap) -> Response {
    Assets::embedded().respond(uri.path(), &headers)
}

impl Asset {
    /// The variant with the highest quality in `Accept-Encoding`; the uncompressed one if none is accepted.
    fn best_variant(&self, request: &HeaderMap) -> Option<&Variant> {
        let accepted = Accepted::from_headers(request);
        let mut best: Option<(&Variant, u16)> = None;
        for variant in &self.variants {
            let quality = accepted.quality(variant.encoding);
            if quality > 0 && best.is_none_or(|(_, other)| quality > other) {
                best = Some((variant, quality));
            }
        }
        best.map(|(variant, _)| variant).or(self.variants.last())
    }
}

/// Whether `If-None-Match` contains this tag, in the weak comparison of RFC 9110, section 13.1.2.
fn matches_if_none_match(request: &HeaderMap, etag: &HeaderValue) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
        })
}

/// The first 128 bits of the content's SHA-256.
fn etag(hash: [u8; 32]) -> HeaderValue {
    let number = hash[..16]
        .iter()
        .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    HeaderValue::try_from(format!("\"{number:032x}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether the file name contains Trunk's content hash: `main-5d41402abc4b2a76.css`, `frontend-5d41402abc4b2a76_bg.wasm`.
fn is_hashed(url: &str) -> bool {
    let file = url.rsplit('/').next().unwrap_or(url);
    let stem = file.split('.').next().unwrap_or(file);
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn content_type(url: &str) -> &'static str {
    match url.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
