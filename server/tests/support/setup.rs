//! Tenants, groups, keys and administrators, created by commands.

use serde_json::Value;

use super::{
    binary::Latchkey,
    client::{self, Response},
};

/// The password of every user.
pub(crate) const PASSWORD: &str = "violet canoe 7 orbit lantern";
/// A tenant's administrator.
pub(crate) const ADMIN: &str = "mira@acme.example";

/// A key with its secret.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    /// Parses the JSON of a key that was created or rotated.
    pub(crate) fn from_json(key: &Value) -> Self {
        Self {
            id: text(key, "id"),
            secret: text(key, "secret"),
        }
    }
}

/// A string member of a JSON object.
pub(crate) fn text(object: &Value, member: &str) -> String {
    let value = object[member].as_str();
    value
        .unwrap_or_else(|| panic!("no {member} in {object}"))
        .to_owned()
}

/// A key that may create and change keys of its group, in a tenant `acme` with room for many.
pub(crate) struct ManagerKey {
    /// The identifier of the group.
    pub(crate) group: String,
    pub(crate) secret: String,
}

impl ManagerKey {
    /// Creates the tenant, the group `Managers` and the key.
    pub(crate) fn create(latchkey: &Latchkey) -> Self {
        latchkey.create_tenant("Acme", 100_000);
        Self {
            group: latchkey.create_group("acme", "Managers", &["api-keys:write"]),
            secret: latchkey.create_key("acme", "Managers", "Manager").secret,
        }
    }
}

impl Latchkey {
    /// A database with the tenant `acme`, its group `Orders` and a key of it.
    pub(crate) fn with_key() -> (Self, Key) {
        let latchkey = Self::new();
        latchkey.create_tenant("Acme", 100);
        latchkey.create_group("acme", "Orders", &[]);
        let key = latchkey.create_key("acme", "Orders", "ERP");
        (latchkey, key)
    }

    /// Creates a tenant, whose slug is the name in lower case. Returns its JSON.
    pub(crate) fn create_tenant(&self, name: &str, key_limit: u32) -> Value {
        let key_limit = key_limit.to_string();
        self.run_json(&[
            "tenant",
            "create",
            "--name",
            name,
            "--key-limit",
            &key_limit,
        ])
    }

    /// Creates an authorization group of the tenant's API keys. Returns its identifier.
    pub(crate) fn create_group(&self, tenant: &str, name: &str, permissions: &[&str]) -> String {
        let mut arguments = vec!["group", "create", "--tenant", tenant, "--name", name];
        arguments.extend(["--type", "tenant_api_key"]);
        for permission in permissions {
            arguments.extend(["--permission", permission]);
        }
        text(&self.run_json(&arguments), "id")
    }

    /// Creates a key of a group, which is given by name or id.
    pub(crate) fn create_key(&self, tenant: &str, group: &str, name: &str) -> Key {
        Key::from_json(&self.create_key_with(tenant, group, name, &[]))
    }

    /// [`Self::create_key`] with further arguments. Returns the key's JSON.
    pub(crate) fn create_key_with(
        &self,
        tenant: &str,
        group: &str,
        name: &str,
        more: &[&str],
    ) -> Value {
        let arguments = [
            "key", "create", "--tenant", tenant, "--group", group, "--name", name,
        ];
        self.run_json(&[&arguments, more].concat())
    }

    /// Creates an administrator of the tenant with [`PASSWORD`].
    pub(crate) fn create_administrator(&self, tenant: &str, email: &str) {
        self.create_administrator_with(tenant, email, PASSWORD);
    }

    /// [`Self::create_administrator`] with another password.
    pub(crate) fn create_administrator_with(&self, tenant: &str, email: &str, password: &str) {
        let user = ["user", "create", "--email", email, "--tenant", tenant];
        let role = ["--role", "tenant_admin", "--password-stdin"];
        self.run_with_input(&[&user[..], &role].concat(), &format!("{password}\n"))
            .expect_success();
    }
}

/// Signs in with the form. Returns the status, and the `name=value` of the session cookie if there is one.
pub(crate) fn sign_in(address: &str, email: &str, password: &str) -> (u16, Option<String>) {
    let response = post_sign_in(address, email, password);
    let session = response.cookie("latchkey_session");
    (response.status, session)
}

/// Posts the sign-in form.
pub(crate) fn post_sign_in(address: &str, email: &str, password: &str) -> Response {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("email", email)
        .append_pair("password", password)
        .finish();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    client::send(address, "POST", "/sign-in", &headers, &form)
}
