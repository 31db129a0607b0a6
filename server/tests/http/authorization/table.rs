//! The expectation table: each route and server function, the callers that it admits, and its response to them.
//!
//! The rows are written by hand and are not derived from the router, so that a wrong requirement in the router fails.

use domain::{group::AuthorizationGroup, id::UserId, key::IssuedKey, key::query::KeyQuery};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::test_app::PASSWORD;

/// The callers that a row admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admits {
    /// Any client.
    Everyone,
    /// A valid key whose group has this permission.
    Permission(&'static str),
    /// Any valid key.
    AnyKey,
    /// Any valid key, also of a suspended tenant.
    OwnKey,
    /// A signed-in user.
    SignedIn,
    /// An administrator in the own tenant, a super user in the tenant that the request names.
    Managers,
    /// A super user.
    SuperUsers,
}

/// The key and the group to which a request refers.
#[derive(Clone)]
pub(super) struct Target {
    /// A key of the group [`Self::group`].
    pub(super) key: IssuedKey,
    pub(super) group: AuthorizationGroup,
    /// A group without keys.
    pub(super) empty_group: AuthorizationGroup,
    pub(super) user: UserId,
    /// The identifier of an open invitation.
    pub(super) invitation: Uuid,
}

/// The body of a request.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Nothing,
    Json(fn(&Target) -> Value),
    /// The members of a JSON object become the fields of a form.
    Form(fn(&Target) -> Value),
    Text(&'static str),
}

/// A row of the table.
pub(super) struct Row {
    pub(super) method: &'static str,
    /// The path in the notation of the route table, with the query that the request needs.
    pub(super) path: &'static str,
    pub(super) admits: Admits,
    /// The status for an admitted caller of the target's tenant.
    pub(super) good: u16,
    /// The status for an admitted caller of another tenant, and for an absent target. It equals `good` if the request refers to no target.
    pub(super) foreign: u16,
    pub(super) content: Content,
}

impl Row {
    const fn with(self, content: Content) -> Self {
        Self { content, ..self }
    }

    const fn foreign(self, foreign: u16) -> Self {
        Self { foreign, ..self }
    }

    /// The path without the query.
    pub(super) fn route(&self) -> &'static str {
        self.path.split('?').next().unwrap_or(self.path)
    }

    /// Whether the request refers to the target.
    pub(super) const fn has_target(&self) -> bool {
        self.foreign != self.good
    }

    /// The path for this target.
    pub(super) fn path_of(&self, target: &Target) -> String {
        let id = match self.route() {
            "/authorization-groups/{id}/delete" => target.empty_group.id.to_string(),
            path if self.method == "DELETE" && path.contains("authorization-groups") => {
                target.empty_group.id.to_string()
            }
            path if path.contains("authorization-groups") => target.group.id.to_string(),
            "/users/{id}/withdraw" => target.invitation.to_string(),
            path if path.starts_with("/users") => target.user.to_string(),
            _ => target.key.key.id.to_string(),
        };
        self.path
            .replace("{id}", &id)
            .replace("{slug}", "hooli")
            .replace("{tenant}", "-")
            .replace("{permission}", "-")
            .replace("{*rest}", "orders/7")
    }
}

const fn row(method: &'static str, path: &'static str, admits: Admits, good: u16) -> Row {
    Row {
        method,
        path,
        admits,
        good,
        foreign: good,
        content: Content::Nothing,
    }
}

fn key_form(target: &Target) -> Value {
    json!({
        "name": "Renamed", "description": "", "authorization_group_id": target.group.id,
        "expires_on": "", "ip_allowlist": "",
    })
}

/// Every row. The last two rows end sessions or replace their cookies.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(open_rows());
    rows.extend(api_rows());
    rows.extend(page_rows());
    rows.extend(form_rows());
    rows.extend(function_rows());
    rows.push(
        row("POST", "/account/name", Admits::SignedIn, 303)
            .with(Content::Form(|_| json!({ "name": "Renamed" }))),
    );
    rows.push(
        row("POST", "/account/theme", Admits::SignedIn, 303)
            .with(Content::Form(|_| json!({ "theme": "dark" }))),
    );
    // An empty password is no attempt, and no set-up waits for a code.
    for (path, good) in [
        ("/account/second-factor", 422),
        ("/account/second-factor/disable", 422),
        ("/account/second-factor/recovery-codes", 422),
    ] {
        rows.push(
            row("POST", path, Admits::SignedIn, good)
                .with(Content::Form(|_| json!({ "password": "" }))),
        );
    }
    rows.push(
        row(
            "POST",
            "/account/second-factor/confirm",
            Admits::SignedIn,
            409,
        )
        .with(Content::Form(|_| json!({ "code": "000000" }))),
    );
    // No session has this identifier.
    rows.push(
        row("POST", "/account/sessions/end", Admits::SignedIn, 303)
            .with(Content::Form(|_| json!({ "session": "0".repeat(64) }))),
    );
    rows.push(
        row(
            "POST",
            "/account/sessions/end-others",
            Admits::SignedIn,
            303,
        )
        .with(Content::Form(|_| json!({}))),
    );
    rows.push(
        row("POST", "/account", Admits::SignedIn, 303).with(Content::Form(|_| {
            json!({ "current_password": PASSWORD, "new_password": "crimson teapot 9 glacier mandolin" })
        })),
    );
    rows.push(row("POST", "/sign-out", Admits::Everyone, 303));
    rows
}

fn open_rows() -> Vec<Row> {
    use Admits::Everyone;
    vec![
        row("GET", "/healthz", Everyone, 200),
        row("GET", "/readyz", Everyone, 200),
        row("GET", "/api/v1/openapi.json", Everyone, 200),
        row("GET", "/api/docs", Everyone, 200),
        row("GET", "/help", Everyone, 200),
        row("GET", "/", Everyone, 303),
        row("GET", "/sign-in", Everyone, 200),
        // The form lacks its fields: the check of a password would count refused sign-ins.
        row("POST", "/sign-in", Everyone, 422).with(Content::Form(|_| json!({}))),
        // Without a provider these do not exist.
        row("GET", "/sign-in/sso", Everyone, 404),
        row("GET", "/sign-in/sso/callback", Everyone, 404),
        row("GET", "/sign-in/second-factor", Everyone, 200),
        row("POST", "/sign-in/second-factor", Everyone, 422).with(Content::Form(|_| json!({}))),
        row("POST", "/page-reports", Everyone, 204).with(Content::Text("changed")),
        // No link has this token.
        row("GET", "/invitation/{token}", Everyone, 404),
        row("POST", "/invitation/{token}", Everyone, 404)
            .with(Content::Form(|_| json!({ "password": PASSWORD }))),
        row("GET", "/sign-in-link/{token}", Everyone, 404),
        row("POST", "/sign-in-link/{token}", Everyone, 404).with(Content::Form(|_| json!({}))),
    ]
}

fn api_rows() -> Vec<Row> {
    use Admits::{AnyKey, OwnKey, Permission};
    use Content::Json;
    let read = Permission("api-keys:read");
    let write = Permission("api-keys:write");
    let read_groups = Permission("authorization-groups:read");
    let write_groups = Permission("authorization-groups:write");
    vec![
        row("GET", "/api/v1/whoami", AnyKey, 200),
        row(
            "POST",
            "/api/v1/whoami/rotate",
            Permission("api-keys:rotate-self"),
            200,
        ),
        row("POST", "/api/v1/whoami/revoke", OwnKey, 200),
        row("GET", "/api/v1/api-keys", read, 200),
        row("POST", "/api/v1/api-keys", write, 201)
            .foreign(422)
            .with(Json(
                |target| json!({ "name": "New", "authorization_group_id": target.group.id }),
            )),
        row("GET", "/api/v1/api-keys/{id}", read, 200).foreign(404),
        row("PATCH", "/api/v1/api-keys/{id}", write, 200)
            .foreign(404)
            .with(Json(|_| json!({ "name": "Renamed" }))),
        row("POST", "/api/v1/api-keys/{id}/rotate", write, 200).foreign(404),
        row("POST", "/api/v1/api-keys/{id}/revoke", write, 200).foreign(404),
        row("POST", "/api/v1/api-keys/revoke", write, 200)
            .foreign(422)
            .with(Json(|target| json!({ "ids": [target.key.key.id] }))),
        row("GET", "/api/v1/api-keys/{id}/usage", read, 200).foreign(404),
        row("POST", "/api/v1/api-keys/{id}/simulate", read, 200).foreign(404),
        row("GET", "/api/v1/authorization-groups", read_groups, 200),
        row("POST", "/api/v1/authorization-groups", write_groups, 201).with(Json(
            |_| json!({ "name": format!("New {}", Uuid::now_v7()), "permissions": ["orders:read"] }),
        )),
        row("GET", "/api/v1/authorization-groups/{id}", read_groups, 200).foreign(404),
        row(
            "PATCH",
            "/api/v1/authorization-groups/{id}",
            write_groups,
            200,
        )
        .foreign(404)
        .with(Json(|_| json!({ "permissions": ["orders:read"] }))),
        row(
            "DELETE",
            "/api/v1/authorization-groups/{id}",
            write_groups,
            204,
        )
        .foreign(404),
        row(
            "GET",
            "/api/v1/security-policy",
            Permission("security-policy:read"),
            200,
        ),
        row(
            "PATCH",
            "/api/v1/security-policy",
            Permission("security-policy:write"),
            200,
        )
        .with(Json(|_| json!({ "default_lifetime_days": 30 }))),
        row(
            "GET",
            "/api/v1/audit-events",
            Permission("audit-log:read"),
            200,
        ),
        // The verdict about a secret of another tenant is in the body.
        row(
            "POST",
            "/api/v1/verify",
            Permission("api-keys:verify"),
            200,
        )
        .with(Json(
            |target| json!({ "secret": target.key.secret.expose() }),
        )),
        row("*", "/api/v1/forward-auth", AnyKey, 200),
        row(
            "*",
            "/api/v1/forward-auth/for/{tenant}/{permission}/{*rest}",
            AnyKey,
            200,
        ),
        row(
            "*",
            "/api/v1/forward-auth/for/{tenant}/{permission}/",
            AnyKey,
            200,
        ),
    ]
}

fn page_rows() -> Vec<Row> {
    use Admits::{Managers, SignedIn, SuperUsers};
    vec![
        row("GET", "/tenant-api-keys", Managers, 200),
        row("GET", "/tenant-api-keys/new", Managers, 200),
        row("GET", "/tenant-api-keys/{id}", Managers, 200).foreign(404),
        row("GET", "/tenant-api-keys/{id}/edit", Managers, 200).foreign(404),
        row("GET", "/tenant-api-keys/{id}/rotate", Managers, 200).foreign(404),
        row("GET", "/tenant-api-keys/{id}/revoke", Managers, 200).foreign(404),
        row("GET", "/tenant-api-keys/revoke?ids={id}", Managers, 200).foreign(404),
        row("GET", "/audit-log", Managers, 200),
        row("GET", "/audit-log/export.csv", Managers, 200),
        row("GET", "/audit-log/export.jsonl", Managers, 200),
        row("GET", "/authorization-groups", Managers, 200),
        row("GET", "/authorization-groups/new", Managers, 200),
        row("GET", "/authorization-groups/{id}", Managers, 200).foreign(404),
        row("GET", "/authorization-groups/{id}/delete", Managers, 200).foreign(404),
        row("GET", "/users", Managers, 200),
        row("GET", "/users/invite", Managers, 200),
        row("GET", "/users/{id}/role", Managers, 200).foreign(404),
        row("GET", "/users/{id}/disable", Managers, 200).foreign(404),
        row("GET", "/users/{id}/enable", Managers, 200).foreign(404),
        row("GET", "/users/{id}/end-sessions", Managers, 200).foreign(404),
        row("GET", "/users/{id}/invite", Managers, 200).foreign(404),
        row("GET", "/users/{id}/withdraw", Managers, 200).foreign(404),
        row("GET", "/security-policy", Managers, 200),
        row("GET", "/tenants", SuperUsers, 200),
        row("GET", "/tenants/new", SuperUsers, 200),
        row("GET", "/tenants/{slug}/edit", SuperUsers, 200),
        row("GET", "/tenants/{slug}/suspend", SuperUsers, 200),
        row("GET", "/tenants/{slug}/resume", SuperUsers, 200),
        row("GET", "/installation-log", SuperUsers, 200),
        row("GET", "/account", SignedIn, 200),
        row("GET", "/account/second-factor", SignedIn, 200),
        row("GET", "/account/second-factor/disable", SignedIn, 200),
        row(
            "GET",
            "/account/second-factor/recovery-codes",
            SignedIn,
            200,
        ),
    ]
}

fn form_rows() -> Vec<Row> {
    use Admits::{Managers, SuperUsers};
    use Content::Form;
    vec![
        row("POST", "/tenant-api-keys/new", Managers, 200)
            .foreign(422)
            .with(Form(|target| {
                let mut form = key_form(target);
                form["form_id"] = json!(Uuid::now_v7());
                form
            })),
        row("POST", "/tenant-api-keys/{id}/edit", Managers, 303)
            .foreign(404)
            .with(Form(|target| {
                let mut form = key_form(target);
                form.as_object_mut().unwrap().remove("expires_on");
                form["version"] = target.key.key.version.into();
                form
            })),
        row("POST", "/tenant-api-keys/{id}/rotate", Managers, 200)
            .foreign(404)
            .with(Form(
                |_| json!({ "form_id": Uuid::now_v7(), "expires_on": "" }),
            )),
        row("POST", "/tenant-api-keys/{id}/revoke", Managers, 303)
            .foreign(404)
            .with(Form(|_| json!({ "reason": "" }))),
        row("POST", "/tenant-api-keys/revoke?ids={id}", Managers, 303)
            .foreign(404)
            .with(Form(
                |_| json!({ "form_id": Uuid::now_v7(), "reason": "" }),
            )),
        row("POST", "/authorization-groups/new", Managers, 303).with(Form(|_| {
            let name = format!("New {}", Uuid::now_v7());
            json!({ "name": name, "permissions": "orders:read", "action": "save" })
        })),
        row("POST", "/authorization-groups/{id}", Managers, 303)
            .foreign(404)
            .with(Form(|target| {
                let name = format!("Renamed {}", Uuid::now_v7());
                json!({
                    "version": target.group.version, "name": name, "permissions": "orders:read", "action": "save",
                })
            })),
        row("POST", "/users/invite", Managers, 200).with(Form(|_| {
            let email = format!("{}@acme.example", Uuid::now_v7());
            json!({ "email": email, "role": "member" })
        })),
        row("POST", "/users/{id}/role", Managers, 303)
            .foreign(404)
            .with(Form(|_| json!({ "role": "tenant_admin" }))),
        row("POST", "/users/{id}/disable", Managers, 303)
            .foreign(404)
            .with(Form(|_| json!({}))),
        row("POST", "/users/{id}/enable", Managers, 303)
            .foreign(404)
            .with(Form(|_| json!({}))),
        row("POST", "/users/{id}/end-sessions", Managers, 303)
            .foreign(404)
            .with(Form(|_| json!({}))),
        row("POST", "/users/{id}/invite", Managers, 200)
            .foreign(404)
            .with(Form(|_| json!({}))),
        row("POST", "/users/{id}/withdraw", Managers, 303)
            .foreign(404)
            .with(Form(|_| json!({}))),
        row("POST", "/tenants/new", SuperUsers, 303).with(Form(
            |_| json!({ "name": format!("New {}", Uuid::now_v7()), "slug": "", "key_limit": "" }),
        )),
        // The version is old, so that the row has the same effect for each caller.
        row("POST", "/tenants/{slug}/edit", SuperUsers, 409).with(Form(
            |_| json!({ "version": 0, "name": "Hooli", "key_limit": "10" }),
        )),
        row("POST", "/tenants/{slug}/suspend", SuperUsers, 303).with(Form(|_| json!({}))),
        row("POST", "/tenants/{slug}/resume", SuperUsers, 303).with(Form(|_| json!({}))),
        row("POST", "/security-policy", Managers, 200).with(Form(|_| {
            json!({
                "version": 1, "max_lifetime_days": "90", "default_lifetime_days": "",
                "ip_allowlist": "192.0.2.0/24", "action": "check",
            })
        })),
        row("POST", "/authorization-groups/{id}/delete", Managers, 303)
            .foreign(404)
            .with(Form(
                |target| json!({ "version": target.empty_group.version }),
            )),
    ]
}

fn function_rows() -> Vec<Row> {
    use Admits::{Managers, SignedIn};
    use Content::Json;
    let function = |path, admits| row("POST", path, admits, 200);
    let of_tenant: fn(&Target) -> Value = |_| json!({});
    let of_key: fn(&Target) -> Value = |target| json!({ "id": target.key.key.id });
    vec![
        function("/api/pages/get_console", SignedIn).with(Json(of_tenant)),
        function("/api/pages/list_api_keys", Managers)
            .with(Json(|_| json!({ "query": KeyQuery::default() }))),
        function("/api/pages/get_api_key", Managers)
            .foreign(404)
            .with(Json(of_key)),
        function("/api/pages/open_key_form", Managers).with(Json(of_tenant)),
        function("/api/pages/open_edit_form", Managers)
            .foreign(404)
            .with(Json(of_key)),
        function("/api/pages/generate_api_key", Managers)
            .foreign(422)
            .with(Json(
                |target| json!({ "form": key_form(target), "form_id": Uuid::now_v7() }),
            )),
        function("/api/pages/edit_api_key", Managers)
            .foreign(404)
            .with(Json(|target| {
                json!({
                    "id": target.key.key.id, "version": target.key.key.version, "form": key_form(target),
                    "form_id": Uuid::now_v7(),
                })
            })),
        function("/api/pages/preview_allowlist", Managers)
            .foreign(404)
            .with(Json(
                |target| json!({ "id": target.key.key.id, "lines": "192.0.2.0/24" }),
            )),
        function("/api/pages/rotate_api_key", Managers)
            .foreign(404)
            .with(Json(
                |target| json!({ "id": target.key.key.id, "expires_on": "", "form_id": Uuid::now_v7() }),
            )),
        function("/api/pages/revoke_api_key", Managers)
            .foreign(404)
            .with(Json(
                |target| json!({ "id": target.key.key.id, "reason": null, "form_id": Uuid::now_v7() }),
            )),
        function("/api/pages/get_selected_keys", Managers)
            .foreign(404)
            .with(Json(|target| json!({ "ids": [target.key.key.id] }))),
        function("/api/pages/revoke_api_keys", Managers)
            .foreign(404)
            .with(Json(
                |target| json!({ "ids": [target.key.key.id], "reason": "", "form_id": Uuid::now_v7() }),
            )),
    ]
}
