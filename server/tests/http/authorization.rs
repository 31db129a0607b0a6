//! The authorization matrix: each route and server function with each kind of caller.

mod callers;
mod table;

use std::collections::BTreeSet;

use app::page::{Access, Page};
use domain::{
    group::AuthorizationGroup,
    id::{EventId, GroupId, KeyId, UserId},
    store::{tenant_users::PeopleQuery, users::NewUser},
    user::{Email, Role},
};
use serde_json::{Value, json};
use server::{
    assets::Assets,
    caller::Caller as Requirement,
    clock,
    router::{Route, routes},
};
use uuid::Uuid;

use self::{
    callers::{
        Caller, Credential, Expected, Interface, expected, interface, refused_target, secret_of,
        sign_in_all,
    },
    table::{Admits, Content, Row, Target, rows},
};
use super::{
    request::{TestRequest, TestResponse},
    test_app::{KeySpec, PASSWORD, TestApp},
};

/// A word in the names of every target, which no caller outside its tenant may see.
const CONFIDENTIAL: &str = "secret-target";

fn name_of(route: &Route) -> String {
    let method = route.method.as_ref().map_or("*", http::Method::as_str);
    format!("{method} {}", route.path)
}

/// Whether the path is that of an embedded file of the browser's bundle. All of them have one handler.
fn is_asset(path: &str) -> bool {
    Assets::embedded().urls().any(|url| url == path)
}

#[test]
fn p24_every_route_page_and_server_function_has_a_row_and_requires_what_it_states() {
    let rows = rows();
    let listed: BTreeSet<_> = rows
        .iter()
        .map(|row| format!("{} {}", row.method, row.route()))
        .collect();
    assert_eq!(listed.len(), rows.len(), "no row is listed twice");
    let served: BTreeSet<_> = routes()
        .iter()
        .filter(|route| !is_asset(&route.path))
        .map(name_of)
        .collect();
    assert_eq!(listed, served);
    let functions = app::pages::SERVER_FUNCTIONS.iter();
    for path in functions.map(|function| format!("POST {}", function.path)) {
        assert!(listed.contains(&path), "{path}");
    }
    for path in app::pages::PAGES.iter().flat_map(Page::paths) {
        assert!(listed.contains(&format!("GET {path}")), "{path}");
    }
    for route in routes() {
        let stated = match rows
            .iter()
            .find(|row| format!("{} {}", row.method, row.route()) == name_of(&route))
        {
            Some(row) => row.admits,
            None => Admits::Everyone,
        };
        let required = match route.caller {
            Requirement::User(Access::Anyone | Access::Public) => Admits::Everyone,
            Requirement::Key(Some(permission)) => Admits::Permission(permission),
            Requirement::Key(None) | Requirement::Gateway => Admits::AnyKey,
            Requirement::OwnKey => Admits::OwnKey,
            Requirement::User(Access::SignedIn) => Admits::SignedIn,
            Requirement::User(Access::KeyManager) => Admits::Managers,
            Requirement::User(Access::SuperUser) => Admits::SuperUsers,
        };
        assert_eq!(required, stated, "{}", name_of(&route));
    }
}

/// A target of this row. Groups are new for rows about groups, the key for other rows; the rest is that of `base`.
async fn new_target(app: &TestApp, row: &Row, base: Option<&Target>) -> Target {
    let new_group = async |kind: &str| {
        let name = format!("{CONFIDENTIAL} {kind} {}", Uuid::now_v7());
        app.named_group("acme", &name, &["orders:read"]).await
    };
    let is_about_groups = row.path.contains("authorization-groups");
    let (group, empty_group) = match base {
        Some(base) if !is_about_groups => (base.group.clone(), base.empty_group.clone()),
        _ => (new_group("group").await, new_group("empty group").await),
    };
    let is_about_users = row.path.starts_with("/users/");
    let (user, invitation) = match base {
        Some(base) if !is_about_users => (base.user, base.invitation),
        _ => (new_user(app).await, new_invitation(app).await),
    };
    let key = match base {
        Some(base) if is_about_groups || is_about_users => base.key.clone(),
        _ => {
            let spec = KeySpec {
                name: format!("{CONFIDENTIAL} key"),
                ..KeySpec::default()
            };
            app.issue_to(&group, spec).await
        }
    };
    Target {
        key,
        group,
        empty_group,
        user,
        invitation,
    }
}

async fn new_user(app: &TestApp) -> UserId {
    let new = NewUser {
        email: format!("{}@acme.example", Uuid::now_v7()).parse().unwrap(),
        name: Some(format!("{CONFIDENTIAL} user")),
        role: Role::Member,
        tenant: Some("acme".to_owned()),
    };
    let cli = app.store.as_cli();
    let users = app.store.users(&cli);
    let created = users.create(new, PASSWORD, clock::now()).await;
    created.unwrap().id
}

async fn new_invitation(app: &TestApp) -> Uuid {
    let email = format!("{CONFIDENTIAL}-{}@acme.example", Uuid::now_v7());
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    let users = app.store.tenant_users(&scope);
    let email: Email = email.parse().unwrap();
    let invited = users.invite(&email, Role::Member, clock::now());
    invited.await.unwrap();
    let query = PeopleQuery {
        search: email.to_string(),
        ..PeopleQuery::default()
    };
    let people = users.people(&query, clock::now()).await.unwrap();
    people.page.items[0].id
}

fn request(
    app: &TestApp,
    row: &Row,
    caller: Caller,
    target: &Target,
    credential: &Credential,
) -> TestRequest {
    let method = if row.method == "*" {
        "DELETE"
    } else {
        row.method
    };
    let mut path = row.path_of(target);
    if let (Some(tenant), Interface::Page | Interface::FormOrFile) =
        (caller.named_tenant(), interface(row))
    {
        let separator = if path.contains('?') { '&' } else { '?' };
        path.push_str(&format!("{separator}tenant={tenant}"));
    }
    let mut request = app.request(method, &path).same_origin();
    if let Some(session) = &credential.session {
        request = request.cookie(session);
    }
    if let Some(secret) = &credential.secret {
        request = request.key(secret);
    }
    match row.content {
        Content::Nothing => request,
        Content::Text(text) => request.body("text/plain", text),
        Content::Json(body) => {
            let mut body = body(target);
            if interface(row) == Interface::Function {
                body["tenant"] = json!(caller.named_tenant());
            }
            request.json(&body)
        }
        Content::Form(fields) => {
            let fields = fields(target);
            let text = |value: &Value| match value.as_str() {
                Some(text) => text.to_owned(),
                None => value.to_string(),
            };
            let fields: Vec<_> = (fields.as_object().unwrap().iter())
                .map(|(name, value)| (name.clone(), text(value)))
                .collect();
            let fields: Vec<_> = (fields.iter())
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            request.form(&fields)
        }
    }
}

/// The difference between the response and the expectation.
fn difference(row: &Row, expected: Expected, response: &TestResponse) -> Option<String> {
    let status = response.status.as_u16();
    let location = response.headers.get("location");
    let location = location.map_or("", |location| location.to_str().unwrap());
    let has_code = |code: &str| match interface(row) {
        Interface::Api | Interface::Function => response.json()["code"] == code,
        Interface::Page | Interface::FormOrFile => true,
    };
    let matches = match expected {
        Expected::Admitted(good) => {
            status == good && (row.path == "/sign-out" || !location.starts_with("/sign-in"))
        }
        Expected::Refused(refused, code) => status == refused && has_code(code),
        Expected::SignIn => status == 303 && location.starts_with("/sign-in?return_to=%2F"),
        Expected::Tenants => status == 303 && location.starts_with("/tenants"),
        Expected::SetUp => status == 303 && location == "/account/second-factor",
    };
    (!matches).then(|| {
        let text: String = response.text().chars().take(200).collect();
        format!("expected {expected:?}, got {status} {location} {text}")
    })
}

/// The newest audit event of each log: a request without an effect adds none.
async fn newest_events(app: &TestApp) -> Vec<EventId> {
    let cli = app.store.as_cli();
    let mut newest = app.store.installation_log(&cli).newest(1).await.unwrap();
    for tenant in ["acme", "globex", "initech"] {
        let scope = app.store.tenants(&cli).scope(tenant).await.unwrap();
        newest.extend(app.store.audit(&scope).newest(1).await.unwrap());
    }
    newest.into_iter().map(|event| event.id).collect()
}

#[tokio::test]
async fn p21_p24_p28_every_caller_gets_the_response_of_the_table_and_refusals_change_nothing() {
    let app = TestApp::start_with(&[
        ("LATCHKEY_DEFAULT_KEY_LIMIT", "10000"),
        ("LATCHKEY_REQUIRE_SECOND_FACTOR", "on"),
    ])
    .await;
    let mut callers = sign_in_all(&app).await;
    let mut differences = Vec::new();
    let mut requests = 0_u32;
    let mut base = None;
    for row in rows() {
        let of_row = format!("{} {}", row.method, row.path);
        // Only the API reads keys; for other rows any key will do.
        let needs_keys = interface(&row) == Interface::Api;
        for (caller, credential) in &mut callers {
            if needs_keys || credential.secret.is_none() {
                credential.secret = secret_of(&app, *caller, &row).await;
            }
        }
        let target = new_target(&app, &row, base.as_ref()).await;
        let target = &*base.insert(target);
        let before = newest_events(&app).await;
        let is_admitted = |caller: Caller| matches!(expected(&row, caller), Expected::Admitted(_));
        // The refused callers come first and share a target, because none of them may change it.
        for admitted in [false, true] {
            for (caller, credential) in &mut callers {
                let caller = *caller;
                if is_admitted(caller) != admitted {
                    continue;
                }
                let is_change = row.has_target() && row.method != "GET" && admitted;
                let own = match is_change {
                    true => Some(new_target(&app, &row, Some(target)).await),
                    false => None,
                };
                let target = own.as_ref().unwrap_or(target);
                let response = request(&app, &row, caller, target, credential).send().await;
                requests += 1;
                let expected = expected(&row, caller);
                if let Some(difference) = difference(&row, expected, &response) {
                    differences.push(format!("{of_row} by {caller:?}: {difference}"));
                }
                let shows_target = response.text().contains(CONFIDENTIAL);
                if shows_target && !(admitted && caller.is_of_acme()) {
                    differences.push(format!("{of_row} by {caller:?} shows the target"));
                }
                let is_of_target = row.has_target() && row.method == "GET";
                if is_of_target && admitted && !row.path.ends_with("/usage") && !shows_target {
                    differences.push(format!("{of_row} by {caller:?} does not show the target"));
                }
                let mut cookies = response.headers.get_all("set-cookie").iter();
                let has_session =
                    cookies.any(|line| line.as_bytes().starts_with(b"latchkey_session="));
                if has_session && credential.session.is_some() {
                    credential.session = Some(response.set_cookie("latchkey_session"));
                }
            }
            if !admitted && newest_events(&app).await != before {
                differences.push(format!("{of_row}: a refused request changed something"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(requests as usize, rows().len() * Caller::ALL.len());
}

#[tokio::test]
async fn p24_absent_deleted_and_malformed_targets_are_as_those_of_another_tenant() {
    let app = TestApp::start_with(&[("LATCHKEY_DEFAULT_KEY_LIMIT", "10000")]).await;
    let callers = sign_in_all(&app).await;
    let deleted = deleted_group(&app).await;
    let base = new_target(&app, &rows()[0], None).await;
    let mut differences = Vec::new();
    for row in rows().iter().filter(|row| row.has_target()) {
        let caller = match interface(row) {
            Interface::Api => Caller::KeyWithPermission,
            _ => Caller::Administrator,
        };
        let (_, credential) = (callers.iter())
            .find(|(found, _)| *found == caller)
            .unwrap();
        let credential = Credential {
            secret: secret_of(&app, caller, row).await,
            ..credential.clone()
        };
        for group in [None, Some(&deleted)] {
            let mut target = base.clone();
            target.key.key.id = KeyId::from(Uuid::now_v7());
            target.user = UserId::from(Uuid::now_v7());
            target.invitation = Uuid::now_v7();
            for place in [&mut target.group, &mut target.empty_group] {
                match group {
                    Some(group) => *place = group.clone(),
                    None => place.id = GroupId::from(Uuid::now_v7()),
                }
            }
            let before = newest_events(&app).await;
            let response = request(&app, row, caller, &target, &credential)
                .send()
                .await;
            if let Some(difference) = difference(row, refused_target(row), &response) {
                differences.push(format!("{} {}: {difference}", row.method, row.path));
            }
            if newest_events(&app).await != before {
                differences.push(format!("{} {} changed something", row.method, row.path));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

async fn deleted_group(app: &TestApp) -> AuthorizationGroup {
    let group = app.named_group("acme", "Deleted", &["orders:read"]).await;
    let cli = app.store.as_cli();
    let scope = app.store.tenants(&cli).scope("acme").await.unwrap();
    let groups = app.store.groups(&scope);
    groups
        .delete(group.id, Some(group.version), server::clock::now())
        .await
        .unwrap();
    group
}
