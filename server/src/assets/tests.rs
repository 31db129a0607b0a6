use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use super::Assets;

const SCRIPT: &str = "/frontend-5d41402abc4b2a76.js";

fn assets() -> Assets {
    let names = [
        "frontend-5d41402abc4b2a76.js",
        "frontend-5d41402abc4b2a76.js.br",
        "frontend-5d41402abc4b2a76.js.gz",
        "frontend-5d41402abc4b2a76_bg.wasm",
        "main-7d793037a0760186.css",
        "main-7d793037a0760186.css.gz",
        "public/favicon.svg",
        "public/robots.txt",
        "public/orphan.svg.br",
    ];
    Assets::new(names.iter().enumerate().map(|(index, name)| {
        let hash = [u8::try_from(index).expect("few files") + 1; 32];
        ((*name).to_owned(), Bytes::from(*name), hash)
    }))
}

fn get(path: &str, request: &[(HeaderName, &str)]) -> Response {
    let headers: HeaderMap = request
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("value")))
        .collect();
    assets().respond(path, &headers)
}

fn header_of(response: &Response, name: HeaderName) -> &str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().expect("text"))
}

#[test]
fn the_bundle_is_what_trunk_named() {
    let bundle = assets().find_bundle();
    assert_eq!(bundle.script.as_deref(), Some(SCRIPT));
    assert_eq!(
        bundle.wasm.as_deref(),
        Some("/frontend-5d41402abc4b2a76_bg.wasm")
    );
    assert_eq!(bundle.styles, ["/main-7d793037a0760186.css"]);
    assert!(Assets::new([]).find_bundle().script.is_none());
}

#[test]
fn files_of_the_public_folder_are_served_from_the_root() {
    let assets = assets();
    let urls: Vec<_> = assets.urls().collect();
    assert!(urls.contains(&"/favicon.svg") && urls.contains(&"/robots.txt"));
    assert!(
        !urls
            .iter()
            .any(|url| url.ends_with(".br") || url.contains("orphan"))
    );
    assert_eq!(
        get("/public/favicon.svg", &[]).status(),
        StatusCode::NOT_FOUND
    );
}

#[test]
fn the_request_chooses_the_encoding() {
    for (accepted, chosen) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("*", "br"),
        ("*;q=0", ""),
        ("br;q=0, gzip;q=0.000", ""),
        ("identity, br;q=0.9", ""),
        ("deflate", ""),
        ("", ""),
    ] {
        let response = get(SCRIPT, &[(header::ACCEPT_ENCODING, accepted)]);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            header_of(&response, header::CONTENT_ENCODING),
            chosen,
            "{accepted}"
        );
        assert_eq!(header_of(&response, header::VARY), "accept-encoding");
        let content_type = header_of(&response, header::CONTENT_TYPE);
        assert_eq!(content_type, "text/javascript; charset=utf-8");
    }
    let response = get(
        "/main-7d793037a0760186.css",
        &[(header::ACCEPT_ENCODING, "br, gzip;q=0.1")],
    );
    assert_eq!(header_of(&response, header::CONTENT_ENCODING), "gzip");
}

#[test]
fn names_with_a_hash_are_kept_for_ever_and_others_asked_for_again() {
    for path in [
        SCRIPT,
        "/frontend-5d41402abc4b2a76_bg.wasm",
        "/main-7d793037a0760186.css",
    ] {
        let response = get(path, &[]);
        let cache_control = header_of(&response, header::CACHE_CONTROL);
        assert_eq!(cache_control, "public, max-age=31536000, immutable");
    }
    let response = get("/favicon.svg", &[]);
    assert_eq!(header_of(&response, header::CACHE_CONTROL), "no-cache");
    assert_eq!(header_of(&response, header::CONTENT_TYPE), "image/svg+xml");
    let response = get("/frontend-5d41402abc4b2a76_bg.wasm", &[]);
    assert_eq!(
        header_of(&response, header::CONTENT_TYPE),
        "application/wasm"
    );
}

#[test]
fn each_encoding_has_a_tag_of_its_own_and_what_is_known_is_not_sent_again() {
    let plain = get(SCRIPT, &[]);
    let brotli = get(SCRIPT, &[(header::ACCEPT_ENCODING, "br")]);
    let tag = header_of(&plain, header::ETAG).to_owned();
    assert!(
        tag.starts_with('"') && tag.ends_with('"') && tag.len() == 34,
        "{tag}"
    );
    assert_ne!(tag, header_of(&brotli, header::ETAG));
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let response = get(SCRIPT, &[(header::IF_NONE_MATCH, &known)]);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(header_of(&response, header::ETAG), tag);
    }
    let other = [
        (header::IF_NONE_MATCH, tag.as_str()),
        (header::ACCEPT_ENCODING, "br"),
    ];
    assert_eq!(get(SCRIPT, &other).status(), StatusCode::OK);
}
