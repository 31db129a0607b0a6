//! Text that breaks databases, parsers or pages, in every place that accepts text of a client.

use domain::store::encryption::EncryptionKeys;
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use server::{
    caller::Caller,
    router::{Route, routes},
};
use uuid::Uuid;

use super::{
    request::{TestRequest, TestResponse},
    route_table::{arguments, method_of, with_path_filled},
    test_app::{SUPER_USER, TestApp},
};

/// Hostile texts in the encoding of URLs and forms.
const ENCODED: [&str; 14] = [
    "%00",
    "acme%00",
    "%00%40b.example",
    "a%00%40b.example",
    "%ED%A0%80",
    "a%ED%B0%80b",
    "%ff%fe",
    "100%",
    "%u0000",
    "%EF%BF%BF",
    "%F4%8F%BF%BF",
    "%E2%80%AE%1b%5B0m%0d%0a",
    "%27%3B--%5C%25_%7B%7D",
    "e%CC%81%F0%9F%94%91",
];

/// Hostile texts in the encoding of JSON, with quotes: paired and unpaired escapes.
const JSON: [&str; 8] = [
    r#""\u0000""#,
    r#""acme\u0000""#,
    r#""\ud800""#,
    r#""a\udc00b""#,
    r#""\udbff\uffff""#,
    r#""\udbff\udfff\uffff""#,
    r#""\u202e\u001b\r\n';--\\%_""#,
    r#""e\u0301""#,
];

/// Hostile texts in the encoding of headers, in which HTTP refuses NUL.
const HEADER: [&[u8]; 5] = [
    b"\xed\xa0\x80",
    b"\xff\xfe",
    b"%00\\u0000",
    b"\"\t';--\\%_",
    b"W/\"\x80\", *, lk_\xe2\x80\xae",
];

/// Headers that Latchkey reads or may read.
const HEADERS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "content-type",
    "cookie",
    "idempotency-key",
    "if-match",
    "origin",
    "referer",
    "traceparent",
    "user-agent",
    "x-api-key",
    "x-forwarded-for",
];

/// Routes whose body is plain text.
const PLAIN_TEXT: [&str; 1] = ["/page-reports"];

/// The query parameters of pages.
const PAGE_PARAMETERS: [&str; 10] = [
    "tenant",
    "q",
    "status",
    "state",
    "expiration",
    "sort",
    "cursor",
    "return_to",
    "changed",
    "anything",
];

/// A placeholder for the hostile text in JSON.
const PLACE: &str = "HOSTILE-TEXT";

struct Attack {
    app: TestApp,
    session: String,
    key: String,
    document: Value,
    sent: u32,
}

impl Attack {
    async fn begin() -> Self {
        let key = EncryptionKeys::generate().expect("a key");
        let app = TestApp::start_with(&[
            ("LATCHKEY_DEFAULT_KEY_LIMIT", "100000"),
            // Without it, the form that sets up a second factor responds 503.
            ("LATCHKEY_ENCRYPTION_KEY", key.as_str()),
            ("LATCHKEY_TRUSTED_PROXIES", "203.0.113.0/24"),
        ])
        .await
        .with_super_user()
        .await;
        let key = app
            .secret(&[
                "api-keys:read",
                "api-keys:write",
                "api-keys:verify",
                "audit-log:read",
                "authorization-groups:read",
            ])
            .await;
        let session = app.sign_in(SUPER_USER).await;
        let document = app.get("/api/v1/openapi.json").send().await.json();
        Self {
            app,
            session,
            key,
            document,
            sent: 0,
        }
    }

    /// A request with the credential of the row. Each has another client address, so that no throttle refuses it.
    fn request(&mut self, route: &Route, path: &str) -> TestRequest {
        self.sent += 1;
        let [_, a, b, c] = self.sent.to_be_bytes();
        let request = self
            .app
            .request(method_of(route), path)
            .from(&format!("10.{a}.{b}.{c}"));
        match route.caller {
            Caller::User(_) => request.same_origin().cookie(&self.session),
            // A key that rotates itself is invalid for the next request.
            Caller::Key(_) | Caller::OwnKey | Caller::Gateway => request.key(&self.key),
        }
    }

    /// The operation of the row in the API document.
    fn operation(&self, route: &Route) -> &Value {
        let path = route.path.replace("{*", "{");
        &self.document["paths"][path][method_of(route).to_lowercase()]
    }

    fn query_parameters(&self, route: &Route) -> Vec<String> {
        if !route.path.starts_with("/api/v1/") {
            // Of the public pages, only sign-in and the root read query parameters.
            if route.caller == Caller::ANYONE && !matches!(route.path.as_str(), "/sign-in" | "/") {
                return vec!["anything".to_owned()];
            }
            return PAGE_PARAMETERS.map(str::to_owned).to_vec();
        }
        let mut names: Vec<String> = self.operation(route)["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
            .collect();
        names.push("anything".to_owned());
        names
    }

    /// Valid bodies for the route, each with [`PLACE`] instead of another text.
    fn bodies(&self, route: &Route) -> Vec<Value> {
        if route.path.starts_with("/api/pages/") {
            return with_each_text_replaced(&arguments(&route.path));
        }
        let content = &self.operation(route)["requestBody"]["content"]["application/json"];
        let Some(name) = content["schema"]["$ref"]
            .as_str()
            .and_then(|path| path.rsplit('/').next())
        else {
            return Vec::new();
        };
        let schema = &self.document["components"]["schemas"][name];
        let properties = schema["properties"].as_object().unwrap();
        let mut bodies: Vec<Value> = properties
            .keys()
            .map(|property| json!({ property.as_str(): PLACE }))
            .collect();
        bodies.push(json!({ "ip_allowlist": [PLACE] }));
        bodies.push(json!({ PLACE: 1 }));
        bodies.push(json!(PLACE));
        bodies
    }

    #[track_caller]
    fn assert_no_fault_of_ours(route: &Route, place: &str, response: &TestResponse) {
        assert!(
            response.status.as_u16() < 500,
            "{} {} with {place}: {} {}",
            method_of(route),
            route.path,
            response.status,
            String::from_utf8_lossy(&response.body)
        );
        if route.path.starts_with("/api/v1/") && response.status.is_client_error() {
            assert!(response.json()["code"].is_string(), "{place}");
        }
    }
}

/// A copy of the value for each text in it, with [`PLACE`] instead of that text.
fn with_each_text_replaced(value: &Value) -> Vec<Value> {
    match value {
        Value::Null | Value::String(_) => vec![json!(PLACE)],
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                with_each_text_replaced(member)
                    .into_iter()
                    .map(|replaced| {
                        let mut all = members.clone();
                        all.insert(name.clone(), replaced);
                        Value::Object(all)
                    })
                    .collect::<Vec<_>>()
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The fields of a page's form with valid values.
fn form_fields(path: &str) -> Vec<(&'static str, String)> {
    let id = || Uuid::now_v7().to_string();
    match path {
        "/sign-in" => vec![
            ("email", "nobody@acme.example".to_owned()),
            ("password", "wrong".to_owned()),
            ("return_to", "/account".to_owned()),
        ],
        "/account" => vec![
            ("username", SUPER_USER.to_owned()),
            ("current_password", "wrong".to_owned()),
            ("new_password", "another good long passphrase".to_owned()),
        ],
        "/sign-in/second-factor" => vec![
            ("code", "123456".to_owned()),
            ("return_to", "/account".to_owned()),
        ],
        "/account/second-factor"
        | "/account/second-factor/disable"
        | "/account/second-factor/recovery-codes" => vec![
            ("username", SUPER_USER.to_owned()),
            ("password", "wrong".to_owned()),
        ],
        "/account/second-factor/confirm" => vec![("code", "123456".to_owned())],
        "/account/name" => vec![("name", "Otis".to_owned())],
        "/account/sessions/end" => vec![("session", "0".repeat(64))],
        "/account/sessions/end-others" => Vec::new(),
        "/account/theme" => vec![("theme", "dark".to_owned())],
        "/tenant-api-keys/new" => vec![
            ("form_id", id()),
            ("name", "ERP".to_owned()),
            ("description", String::new()),
            ("authorization_group_id", id()),
            ("expires_on", String::new()),
            ("ip_allowlist", String::new()),
        ],
        "/tenant-api-keys/{id}/edit" => vec![
            ("version", "1".to_owned()),
            ("name", "ERP".to_owned()),
            ("description", String::new()),
            ("authorization_group_id", id()),
            ("ip_allowlist", String::new()),
            ("action", "save".to_owned()),
        ],
        "/tenant-api-keys/{id}/rotate" => {
            vec![("form_id", id()), ("expires_on", String::new())]
        }
        "/authorization-groups/new" => vec![
            ("name", "Orders".to_owned()),
            ("permissions", "orders:read".to_owned()),
            ("action", "save".to_owned()),
        ],
        "/authorization-groups/{id}" => vec![
            ("version", "1".to_owned()),
            ("name", "Orders".to_owned()),
            ("permissions", "orders:read".to_owned()),
            ("action", "save".to_owned()),
        ],
        "/authorization-groups/{id}/delete" => vec![("version", "1".to_owned())],
        "/tenant-api-keys/{id}/revoke" => vec![("reason", "replaced".to_owned())],
        "/tenant-api-keys/revoke" => {
            vec![("form_id", id()), ("reason", "replaced".to_owned())]
        }
        "/tenants/new" => vec![
            ("name", "Globex".to_owned()),
            ("slug", String::new()),
            ("key_limit", "10".to_owned()),
        ],
        "/tenants/{slug}/edit" => vec![
            ("version", "1".to_owned()),
            ("name", "Acme".to_owned()),
            ("key_limit", "10".to_owned()),
        ],
        "/tenants/{slug}/suspend" | "/tenants/{slug}/resume" => Vec::new(),
        "/security-policy" => vec![
            ("version", "1".to_owned()),
            ("max_lifetime_days", "90".to_owned()),
            ("default_lifetime_days", String::new()),
            ("ip_allowlist", "10.0.0.0/8".to_owned()),
            ("action", "check".to_owned()),
        ],
        "/users/invite" => vec![
            ("email", "sanne@acme.example".to_owned()),
            ("role", "member".to_owned()),
        ],
        "/users/{id}/role" => vec![("role", "member".to_owned())],
        "/users/{id}/disable"
        | "/users/{id}/enable"
        | "/users/{id}/end-sessions"
        | "/users/{id}/invite"
        | "/users/{id}/withdraw"
        | "/sign-in-link/{token}" => Vec::new(),
        "/invitation/{token}" => vec![
            ("name", "Sanne".to_owned()),
            ("password", "another good long passphrase".to_owned()),
        ],
        "/sign-out" => vec![("anything", String::new())],
        other => panic!("say here what the form of {other} holds"),
    }
}

fn is_a_form(route: &Route) -> bool {
    let is_text = PLAIN_TEXT.contains(&route.path.as_str());
    route.method == Some(Method::POST) && !route.path.starts_with("/api/") && !is_text
}

#[tokio::test]
async fn p81_no_text_in_any_place_causes_an_internal_error() {
    let mut attack = Attack::begin().await;
    let mut places = [0_u32; 5];
    for route in routes() {
        // Signing out ends the session.
        if route.path == "/sign-out" {
            continue;
        }
        let is_page = !route.path.starts_with("/api/");
        let good_path = with_path_filled(&route.path);
        let tenant = if is_page { "tenant=acme" } else { "" };

        for hostile in ENCODED {
            let mut paths = Vec::new();
            for (index, segment) in route.path.split('/').enumerate() {
                if !segment.starts_with('{') {
                    continue;
                }
                let filled: Vec<_> = route
                    .path
                    .split('/')
                    .enumerate()
                    .map(|(other, segment)| match (index == other, segment) {
                        (true, _) => hostile.to_owned(),
                        (false, "{tenant}" | "{permission}") => "-".to_owned(),
                        (false, _) => with_path_filled(segment),
                    })
                    .collect();
                paths.push(format!("{}?{tenant}", filled.join("/")));
                places[0] += 1;
            }
            for name in attack.query_parameters(&route) {
                let tenant = if name == "tenant" { "" } else { tenant };
                paths.push(format!("{good_path}?{name}={hostile}&{tenant}"));
                places[1] += 1;
            }
            paths.push(format!("{good_path}?{hostile}=1&{hostile}"));
            for path in paths {
                let mut request = attack.request(&route, &path);
                if is_a_form(&route) {
                    let fields = form_fields(&route.path);
                    let fields: Vec<_> = fields
                        .iter()
                        .map(|(name, value)| (*name, value.as_str()))
                        .collect();
                    request = request.form(&fields);
                }
                Attack::assert_no_fault_of_ours(&route, &path, &request.send().await);
            }
            if is_a_form(&route) {
                let fields = form_fields(&route.path);
                for (place, (attacked, _)) in fields.iter().enumerate() {
                    let mut body: Vec<_> = fields
                        .iter()
                        .enumerate()
                        .map(|(index, (name, value))| {
                            let value = if index == place { hostile } else { value };
                            format!("{name}={value}")
                        })
                        .collect();
                    body.push(format!("{hostile}=1"));
                    // With the unknown name and without it
                    for length in [body.len(), body.len() - 1] {
                        let path = format!("{good_path}?{tenant}");
                        let text = body[..length].join("&");
                        let request = attack
                            .request(&route, &path)
                            .body("application/x-www-form-urlencoded", text.clone());
                        let response = request.send().await;
                        Attack::assert_no_fault_of_ours(&route, &text, &response);
                        places[2] += 1;
                    }
                    let encoded = percent_decode_str(hostile).decode_utf8().is_err();
                    if encoded || hostile.contains("100%") || hostile.contains("%u") {
                        let request = attack.request(&route, &good_path).body(
                            "application/x-www-form-urlencoded",
                            format!("{attacked}={hostile}"),
                        );
                        assert!(request.send().await.status.is_client_error(), "{hostile}");
                    }
                }
            }
        }

        if PLAIN_TEXT.contains(&route.path.as_str()) {
            for hostile in [&b"a\0b"[..]].iter().chain(&HEADER) {
                let request = attack.request(&route, &good_path);
                let response = request.body("text/plain", hostile.to_vec()).send().await;
                Attack::assert_no_fault_of_ours(&route, "plain text", &response);
            }
        }

        for body in attack.bodies(&route) {
            for hostile in JSON {
                let text = body.to_string().replace(&format!("\"{PLACE}\""), hostile);
                assert!(text.contains(hostile));
                let request = attack
                    .request(&route, &good_path)
                    .body("application/json", text.clone());
                Attack::assert_no_fault_of_ours(&route, &text, &request.send().await);
                places[3] += 1;
            }
        }

        for name in HEADERS {
            for hostile in HEADER {
                // Two keys are ambiguous, and two session cookies are invalid.
                let is_credential = matches!(name, "cookie" | "x-api-key");
                let request = if is_credential {
                    attack.app.request(method_of(&route), &good_path)
                } else {
                    attack.request(&route, &format!("{good_path}?{tenant}"))
                };
                let response = request.header(name, hostile).send().await;
                Attack::assert_no_fault_of_ours(&route, name, &response);
                places[4] += 1;
            }
        }
    }
    eprintln!(
        "{} requests; path, query, form, JSON, header: {places:?}",
        attack.sent
    );
    assert!(places.iter().all(|sent| *sent > 50), "{places:?}");
}

#[tokio::test]
async fn p81_an_invalid_slug_is_not_found() {
    let app = TestApp::start().await.with_super_user().await;
    let session = app.sign_in(SUPER_USER).await;
    for slug in ["%00", "acme%00", "%EF%BF%BF", "ACME"] {
        let page = app.get(&format!("/tenant-api-keys?tenant={slug}"));
        assert_eq!(page.cookie(&session).send().await.status, 404, "{slug}");
    }
    let body = r#"{"tenant":"\u0000","query":{"status":null,"expiration":null,"q":"","sort":"-created_at","limit":25,"cursor":null}}"#;
    let response = app
        .post("/api/pages/list_api_keys")
        .same_origin()
        .cookie(&session)
        .body("application/json", body)
        .send()
        .await;
    assert!(response.status.is_client_error(), "{}", response.text());
}

#[tokio::test]
async fn a_url_with_two_tenants_is_refused() {
    let app = TestApp::start().await.with_super_user().await;
    app.add_tenant("globex", "Globex").await;
    let session = app.sign_in(SUPER_USER).await;
    for path in ["/", "/tenant-api-keys", "/tenant-api-keys/new", "/account"] {
        let twice = format!("{path}?tenant=acme&t%65nant=globex");
        let response = app.get(&twice).cookie(&session).send().await;
        assert_eq!(response.status, 400, "{path}");
        assert!(response.text().contains("names a tenant twice"), "{path}");
    }
}
