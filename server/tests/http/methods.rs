//! P05: each route with each of nine methods.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use server::router::routes;

use super::{
    route_table::with_path_filled,
    test_app::{ADMIN, TestApp},
};

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO",
];

/// Every path of the route table with its methods.
fn paths() -> BTreeMap<String, BTreeSet<String>> {
    let mut paths = BTreeMap::<String, BTreeSet<String>>::new();
    for route in routes() {
        let methods = paths.entry(with_path_filled(&route.path)).or_default();
        match route.method {
            Some(Method::GET) => methods.extend(["GET", "HEAD"].map(str::to_owned)),
            Some(method) => {
                methods.insert(method.to_string());
            }
            None => methods.extend(METHODS.map(str::to_owned)),
        }
    }
    paths
}

#[tokio::test]
async fn p05_other_methods_are_refused_with_the_list_of_allowed_ones() {
    let (app, key) = TestApp::start().await.with_admin().await.with_key().await;
    let session = app.sign_in(ADMIN).await;
    let before = app.used_keys().await;
    for (path, supported) in paths() {
        for method in METHODS
            .into_iter()
            .filter(|method| !supported.contains(*method))
        {
            // With everything that a supported method requires, and with the method overrides of some frameworks
            let response = app
                .request(method, &format!("{path}?_method=GET"))
                .same_origin()
                .key(key.secret.expose())
                .cookie(&session)
                .header("x-http-method-override", "GET")
                .header("x-method-override", "GET")
                .header("x-echo", "an echo of TRACE")
                .form(&[("_method", "GET")])
                .send()
                .await;
            assert_eq!(response.status, 405, "{method} {path}: {}", response.text());
            let allowed: BTreeSet<_> = response
                .header("allow")
                .split(',')
                .map(str::to_owned)
                .collect();
            assert_eq!(allowed, supported, "{method} {path}");
            assert!(!response.text().contains("an echo of TRACE"));
        }
    }
    assert_eq!(app.used_keys().await, before);
    assert!(app.is_signed_in(&session).await);
}

#[tokio::test]
async fn p05_method_overrides_are_ignored() {
    let app = TestApp::start().await.with_admin().await;
    let session = app.sign_in(ADMIN).await;
    for (path, supported) in paths() {
        if !supported.contains("GET") {
            continue;
        }
        for method in ["POST", "DELETE"] {
            app.get(&format!("{path}?_method={method}"))
                .cookie(&session)
                .header("x-http-method-override", method)
                .send()
                .await;
        }
    }
    assert!(app.is_signed_in(&session).await);
}

#[tokio::test]
async fn p05_head_is_get_without_a_body_and_neither_changes_anything() {
    let (app, key) = TestApp::start().await.with_admin().await.with_key().await;
    let session = app.sign_in(ADMIN).await;
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    let before = app.store.audit(&scope).newest(1000).await.unwrap();
    for (path, supported) in paths() {
        if !supported.contains("GET") {
            continue;
        }
        let get = app
            .get(&path)
            .key(key.secret.expose())
            .cookie(&session)
            .send()
            .await;
        let head = app
            .request("HEAD", &path)
            .key(key.secret.expose())
            .cookie(&session)
            .send()
            .await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(
            head.headers.get("content-type"),
            get.headers.get("content-type"),
            "{path}"
        );
        assert_eq!(
            head.headers.get("location"),
            get.headers.get("location"),
            "{path}"
        );
    }
    let after = app.store.audit(&scope).newest(1000).await.unwrap();
    assert_eq!(before, after);
}
