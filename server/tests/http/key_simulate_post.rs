//! `POST /api/v1/api-keys/{id}/simulate`

use std::net::IpAddr;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use domain::{
    client_address::ClientAddress,
    key::{
        IssuedKey,
        allowlist::Allowlist,
        simulation::{Check, CheckOutcome, SimulatedRequest},
    },
    security_policy::SecurityPolicyChanges,
    verify::Verifier,
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use server::clock;

use super::{
    request::TestResponse,
    test_app::{KeySpec, SUPER_USER, TestApp, day},
};

async fn simulate(app: &TestApp, asking: &str, key: &IssuedKey, body: &Value) -> TestResponse {
    let path = format!("/api/v1/api-keys/{}/simulate", key.key.id);
    // The tenant-wide allowlist of Initech admits this address.
    let request = app.post(&path).from("192.0.2.7").key(asking);
    request.json(body).send().await
}

#[tokio::test]
async fn answers_as_a_real_request_and_counts_as_no_use() {
    let app = TestApp::start().await;
    let asking = app.secret(&["api-keys:read"]).await;
    let key = app
        .issue(KeySpec {
            allowlist: &["198.51.100.0/24"],
            expires_on: Some(day(30)),
            ..KeySpec::default()
        })
        .await;
    let after = format!("{}T00:00:00Z", day(31));
    let last = format!("{}T23:59:59.999Z", day(30));
    for (body, code) in [
        (json!({ "ip": "198.51.100.7" }), None),
        (
            json!({ "ip": "::ffff:198.51.100.7", "permission": "orders:read" }),
            None,
        ),
        (json!({ "ip": "198.51.100.7", "at": last }), None),
        (
            json!({ "ip": "198.51.100.7", "at": after }),
            Some("expired_api_key"),
        ),
        (json!({ "ip": "192.0.2.1" }), Some("ip_not_allowed")),
        (json!({}), Some("ip_not_allowed")),
        (
            json!({ "ip": null, "permission": null, "at": null }),
            Some("ip_not_allowed"),
        ),
        (
            json!({ "ip": "198.51.100.7", "permission": "orders:write" }),
            Some("missing_permission"),
        ),
    ] {
        let response = simulate(&app, &asking, &key, &body).await;
        assert_eq!(response.status, 200, "{}", response.text());
        let answer = response.json();
        match code {
            None => assert_eq!(answer, json!({ "valid": true }), "{body}"),
            Some(code) => {
                assert_eq!(
                    (&answer["valid"], &answer["code"]),
                    (&json!(false), &json!(code))
                );
                assert!(
                    answer["detail"].as_str().unwrap().ends_with('.'),
                    "{answer}"
                );
                assert_eq!(answer.as_object().unwrap().len(), 3);
            }
        }
    }
    assert!(app.refused("acme", &key).await.is_empty());
    let path = format!("/api/v1/api-keys/{}", key.key.id);
    let shown = app.get(&path).key(&asking).send().await.json();
    assert_eq!(shown["last_used_at"], Value::Null);
}

#[tokio::test]
async fn all_invalid_fields_are_reported_together() {
    let app = TestApp::start().await;
    let asking = app.secret(&["api-keys:read"]).await;
    let key = app.issue(KeySpec::default()).await;
    let body =
        json!({ "ip": "10.0.0.0/8", "permission": "orders", "at": "tomorrow", "secret": "x" });
    let response = simulate(&app, &asking, &key, &body).await;
    let problem = response.assert_problem(422, "validation_failed");
    let fields: Vec<_> = (problem["errors"].as_array().unwrap().iter())
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(fields, ["ip", "permission", "at", "secret"]);
    let path = format!("/api/v1/api-keys/{}/simulate", key.key.id);
    let response = app.post(&path).key(&asking).send().await;
    assert_eq!(
        response.json(),
        json!({ "valid": true }),
        "no body asks nothing in particular"
    );
}

#[tokio::test]
async fn p24_p27_another_tenants_key_is_not_found() {
    let app = TestApp::start().await;
    app.add_tenant("globex", "Globex").await;
    let asking = app.secret(&["api-keys:read"]).await;
    let theirs = app
        .issue(KeySpec {
            tenant: "globex",
            ..KeySpec::default()
        })
        .await;
    let response = simulate(&app, &asking, &theirs, &json!({})).await;
    response.assert_problem(404, "not_found");
    assert!(app.refused("globex", &theirs).await.is_empty());
}

const ADDRESSES: [Option<&str>; 6] = [
    None,
    Some("192.0.2.7"),
    Some("192.0.2.200"),
    Some("198.51.100.1"),
    Some("2001:db8::1"),
    Some("2001:db9::1"),
];
const PERMISSIONS: [Option<&str>; 4] = [
    None,
    Some("orders:read"),
    Some("orders:write"),
    Some("api-keys:read"),
];
const GROUPS: [&[&str]; 3] = [&["orders:read"], &["orders:read", "orders:write"], &[]];
const ALLOWLISTS: [&[&str]; 4] = [
    &[],
    &["192.0.2.0/25"],
    &["2001:db8::/32", "198.51.100.1"],
    &["0.0.0.0/0"],
];

/// The tenant-wide allowlist of Initech.
const TENANT_ALLOWLIST: &str = "192.0.2.0/24\n2001:db8::/31";

/// Keys of every state, group and allowlist, in an active tenant, in a suspended one, and in one with a tenant-wide allowlist.
async fn keys_of_every_kind(app: &TestApp) -> Vec<(&'static str, IssuedKey)> {
    let mut keys = Vec::new();
    for tenant in ["acme", "globex", "initech"] {
        for permissions in GROUPS {
            for allowlist in ALLOWLISTS {
                for expires_on in [None, Some(day(-1)), Some(day(0)), Some(day(40))] {
                    let spec = KeySpec {
                        tenant,
                        permissions,
                        allowlist,
                        expires_on,
                        ..KeySpec::default()
                    };
                    let revoked = keys.len() % 5 == 0;
                    let key = app.issue(spec).await;
                    if revoked {
                        app.revoke(tenant, &key).await;
                    }
                    keys.push((tenant, key));
                }
            }
        }
    }
    app.suspend("globex").await;
    keys
}

/// The code of a real request now, over HTTP. The peer is a trusted proxy, which forwards the client's address or an unusable one.
async fn real_code(app: &TestApp, key: &IssuedKey, request: &SimulatedRequest) -> Option<String> {
    let mut path = "/api/v1/forward-auth".to_owned();
    if let Some(permission) = &request.permission {
        path.push_str(&format!("?permission={permission}"));
    }
    let client = request.ip.map_or("nobody".to_owned(), |ip| ip.to_string());
    let response = app
        .get(&path)
        .from("203.0.113.1")
        .header("x-forwarded-for", client)
        .key(key.secret.expose())
        .send()
        .await;
    match response.status.as_u16() {
        200 => None,
        401 | 403 => Some(response.json()["code"].as_str().unwrap().to_owned()),
        other => panic!("{other}: {}", response.text()),
    }
}

/// The code of the verifier, which decides real requests, at the time of the request.
async fn verified_code(
    verifier: &Verifier,
    key: &IssuedKey,
    request: &SimulatedRequest,
    now: DateTime<Utc>,
) -> Option<String> {
    let client = request
        .ip
        .map_or(ClientAddress::Unknown, ClientAddress::known);
    let permission = request.permission.as_ref();
    let at = request.at.unwrap_or(now);
    let verdict = verifier.verify(key.secret.expose(), client, permission, at);
    let refusal = verdict.await.unwrap().err()?;
    Some(refusal.code().to_owned())
}

/// The code that the page of the key shows to a super user.
async fn page_code(
    app: &TestApp,
    session: &str,
    tenant: &str,
    key: &IssuedKey,
    request: &SimulatedRequest,
) -> Option<String> {
    let ip = request.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let permission = request.permission.as_ref().map(ToString::to_string);
    let permission = permission.unwrap_or_default();
    let at = request
        .at
        .map(|at| at.format("%Y-%m-%d%%20%H:%M").to_string());
    let at = at.unwrap_or_default();
    let id = key.key.id;
    let path =
        format!("/tenant-api-keys/{id}?tenant={tenant}&ip={ip}&permission={permission}&at={at}");
    let response = app.get(&path).cookie(session).send().await;
    let html = response.text().replace("<!>", "");
    assert_eq!(response.status, 200, "{path}: {html}");
    match html.split_once("Refused: ") {
        Some((_, refusal)) => {
            let (_, code) = refusal.split_once("<code>").unwrap();
            Some(code.split('<').next().unwrap().to_owned())
        }
        None => {
            assert!(html.contains("<strong>Accepted</strong>"), "{path}: {html}");
            None
        }
    }
}

#[tokio::test]
async fn simulation_api_page_verifier_and_a_real_request_agree_in_1000_random_cases() {
    let app = TestApp::start_with(&[
        ("LATCHKEY_DEFAULT_KEY_LIMIT", "1000"),
        ("LATCHKEY_TRUSTED_PROXIES", "203.0.113.1"),
    ])
    .await
    .with_super_user()
    .await;
    app.add_tenant("globex", "Globex").await;
    app.add_tenant("initech", "Initech").await;
    let keys = keys_of_every_kind(&app).await;
    let asking = app.secret(&["api-keys:read"]).await;
    let asking_in_initech = app
        .issue(KeySpec {
            tenant: "initech",
            permissions: &["api-keys:read"],
            ..KeySpec::default()
        })
        .await;
    let session = app.sign_in(SUPER_USER).await;
    let cli = app.store.as_cli();
    let acme = app.store.tenants(&cli).scope("acme").await.unwrap();
    let globex = app.store.tenants(&cli).scope("globex").await.unwrap();
    let initech = app.store.tenants(&cli).scope("initech").await.unwrap();
    let changes = SecurityPolicyChanges {
        ip_allowlist: Some(Allowlist::parse_lines(TENANT_ALLOWLIST).unwrap()),
        ..SecurityPolicyChanges::default()
    };
    let policy = app.store.security_policy(&initech);
    policy.change(changes, None, clock::now()).await.unwrap();
    let verifier = Verifier::new(app.store.clone());
    let cases = (
        0..keys.len(),
        -90_000_i64..90_000,
        0..ADDRESSES.len(),
        0..PERMISSIONS.len(),
    );
    let mut runner = TestRunner::default();
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    let mut deciding = std::collections::BTreeSet::<String>::new();
    for number in 0..1_000 {
        let (key, minutes, address, permission) = cases.new_tree(&mut runner).unwrap().current();
        let (tenant, key) = &keys[key];
        let scope = match *tenant {
            "acme" => &acme,
            "globex" => &globex,
            _ => &initech,
        };
        let now = clock::now();
        let (ip, permission) = (ADDRESSES[address], PERMISSIONS[permission]);
        // A real request is sent now. The other time has whole minutes, as the field of the page.
        let later = (now + TimeDelta::minutes(minutes)).duration_trunc(TimeDelta::minutes(1));
        for at in [None, Some(later.unwrap())] {
            let request = SimulatedRequest {
                ip: ip.map(|text| text.parse::<IpAddr>().unwrap()),
                permission: permission.map(|text| text.parse().unwrap()),
                at,
            };
            let keys = app.store.keys(scope);
            let simulation = keys.simulate(key.key.id, &request, now).await.unwrap();
            let verified = verified_code(&verifier, key, &request, now).await;
            let case = format!("{tenant} {:?} {request:?}", key.key);
            assert_eq!(simulation.code, verified, "{case}");
            let decided: Vec<Check> = (simulation.checks.iter())
                .filter(|(_, outcome)| *outcome == CheckOutcome::DecidedHere)
                .map(|(check, _)| *check)
                .collect();
            let is_refused = usize::from(verified.is_some());
            assert_eq!(decided.len(), is_refused, "one check decides: {case}");
            deciding.extend(decided.iter().map(|check| format!("{check:?}")));
            if at.is_none() {
                assert_eq!(real_code(&app, key, &request).await, verified, "{case}");
            }
            // Every question about now, and each tenth about another time, is put to the page.
            if at.is_none() || number % 10 == 0 {
                let shown = page_code(&app, &session, tenant, key, &request).await;
                assert_eq!(shown, verified, "the page: {case}");
            }
            // Keys of a suspended tenant cannot call the simulation.
            if *tenant != "globex" {
                let asking = match *tenant {
                    "acme" => &asking,
                    _ => asking_in_initech.secret.expose(),
                };
                let body = json!({ "ip": ip, "permission": permission, "at": at });
                let answer = simulate(&app, asking, key, &body).await.json();
                assert_eq!(
                    answer["valid"],
                    json!(verified.is_none()),
                    "{answer} {case}"
                );
                let code = verified.as_ref().map(|code| json!(code));
                assert_eq!(answer.get("code"), code.as_ref(), "{case}");
            }
            let outcome = verified.unwrap_or_else(|| "accepted".to_owned());
            *seen.entry(outcome).or_default() += 1;
        }
    }
    // The random requests have caused every outcome.
    let outcomes: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(
        outcomes,
        [
            "accepted",
            "expired_api_key",
            "ip_not_allowed",
            "missing_permission",
            "revoked_api_key",
            "tenant_suspended",
        ],
        "{seen:?}"
    );
    let every_check = Check::ALL.map(|check| format!("{check:?}"));
    assert_eq!(deciding, every_check.into());
}
