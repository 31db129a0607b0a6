//! The URLs of pages. Adds a super user's tenant to them.

use domain::user::Role;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The list of keys.
pub const API_KEYS: &str = "/tenant-api-keys";
/// The form that creates a key.
pub const GENERATE: &str = "/tenant-api-keys/new";
/// The list of authorization groups.
pub const GROUPS: &str = "/authorization-groups";
/// The form that creates an authorization group, and its target.
pub const NEW_GROUP: &str = "/authorization-groups/new";
/// The form of an authorization group, and its target.
pub const EDIT_GROUP: &str = "/authorization-groups/{id}";
/// The page that confirms the deletion of an authorization group, and its target.
pub const DELETE_GROUP: &str = "/authorization-groups/{id}/delete";
/// The security policy of a tenant, and the target of its form.
pub const SECURITY_POLICY: &str = "/security-policy";
/// The page of one key.
pub const KEY: &str = "/tenant-api-keys/{id}";
/// The parameter of the dialog that edits a key: an address that the dialog adds to the allowlist.
pub const ALLOW: &str = "allow";
/// The parameter of a key's dialog with the page that opened it. Its only value is [`FROM_KEY`]; without it, that page is the list.
pub const FROM: &str = "from";
/// The page of the key.
pub const FROM_KEY: &str = "key";
/// The parameter of the form that creates a key: the group that it selects first.
pub const IN_GROUP: &str = "group";
/// The audit log of a tenant.
pub const AUDIT_LOG: &str = "/audit-log";
/// The events that a page of the audit log selects, as a CSV file.
pub const AUDIT_LOG_CSV: &str = "/audit-log/export.csv";
/// The same as JSON Lines.
pub const AUDIT_LOG_JSON_LINES: &str = "/audit-log/export.jsonl";
/// The events that belong to no tenant.
pub const INSTALLATION_LOG: &str = "/installation-log";
/// The list of a tenant's users.
pub const USERS: &str = "/users";
/// The form that invites a person, and its target.
pub const INVITE: &str = "/users/invite";
/// The form that changes a user's role, and its target.
pub const USER_ROLE: &str = "/users/{id}/role";
/// The page that confirms disabling a user, and its target.
pub const DISABLE_USER: &str = "/users/{id}/disable";
/// The page that confirms enabling a user, and its target.
pub const ENABLE_USER: &str = "/users/{id}/enable";
/// The page that confirms ending a user's sessions, and its target.
pub const END_SESSIONS: &str = "/users/{id}/end-sessions";
/// The page that confirms a new link for a user or an invited person, and its target.
pub const INVITE_AGAIN: &str = "/users/{id}/invite";
/// The page that confirms the withdrawal of an invitation, and its target.
pub const WITHDRAW_INVITATION: &str = "/users/{id}/withdraw";
/// The form of an invitation or of a link that sets a new password, and its target.
pub const INVITATION: &str = "/invitation/{token}";
/// The form of a link that signs a super user in, and its target.
pub const SIGN_IN_LINK: &str = "/sign-in-link/{token}";
/// The list of tenants, for super users.
pub const TENANTS: &str = "/tenants";
/// The form that creates a tenant, and its target.
pub const NEW_TENANT: &str = "/tenants/new";
/// The form of a tenant, and its target.
pub const EDIT_TENANT: &str = "/tenants/{slug}/edit";
/// The page that confirms a suspension, and its target.
pub const SUSPEND_TENANT: &str = "/tenants/{slug}/suspend";
/// The page that confirms the end of a suspension, and its target.
pub const RESUME_TENANT: &str = "/tenants/{slug}/resume";
/// The parameter of the list of tenants: the path of the page that its links open in a tenant.
pub const PAGE: &str = "page";
/// The user's own page, and the target of its form, which changes the password.
pub const ACCOUNT: &str = "/account";
/// The target of the form that changes the user's own name.
pub const ACCOUNT_NAME: &str = "/account/name";
/// The target of the form that ends one of the user's own sessions.
pub const END_SESSION: &str = "/account/sessions/end";
/// The target of the form that ends the user's other sessions.
pub const END_OTHER_SESSIONS: &str = "/account/sessions/end-others";
/// The target of the form that chooses the theme.
pub const ACCOUNT_THEME: &str = "/account/theme";
/// The page that sets up the second factor, and the target of its first form.
pub const SECOND_FACTOR: &str = "/account/second-factor";
/// The target of the form that confirms the set-up with a code.
pub const CONFIRM_SECOND_FACTOR: &str = "/account/second-factor/confirm";
/// The page that turns the second factor off, and its target.
pub const DISABLE_SECOND_FACTOR: &str = "/account/second-factor/disable";
/// The page that makes new recovery codes, and its target.
pub const NEW_RECOVERY_CODES: &str = "/account/second-factor/recovery-codes";
/// The second step of a sign-in, and the target of its form.
pub const SECOND_STEP: &str = "/sign-in/second-factor";
/// The guide for tenant administrators.
pub const HELP: &str = "/help";
/// The API documentation.
pub const API_DOCS: &str = "/api/docs";
/// The sign-in page, and the target of its form.
pub const SIGN_IN: &str = "/sign-in";
/// The link that begins single sign-on.
pub const SINGLE_SIGN_ON: &str = "/sign-in/sso";
/// The URL to which the provider of single sign-on sends the browser back.
pub const SINGLE_SIGN_ON_CALLBACK: &str = "/sign-in/sso/callback";
/// The target of the form that signs out.
pub const SIGN_OUT: &str = "/sign-out";

/// The first page of a user with this role.
#[must_use]
pub const fn first_page(role: Role) -> &'static str {
    if role.manages_keys() {
        API_KEYS
    } else {
        ACCOUNT
    }
}

/// The page of the key `id`.
#[must_use]
pub fn key(id: &str) -> String {
    format!("{API_KEYS}/{id}")
}

/// The URL of a one-time link on this origin, e.g. `https://keys.example.com`.
#[must_use]
pub fn one_time_link(origin: &str, signs_in: bool, token: &str) -> String {
    let path = if signs_in { SIGN_IN_LINK } else { INVITATION };
    format!("{origin}{}", path.replace("{token}", token))
}

/// The path of the page that contains the one at `path`: for one key, group, user or tenant, or a dialog, that of their list.
#[must_use]
pub fn page_path(path: &str) -> &str {
    let is_form = path == GENERATE || path == NEW_GROUP || path == INVITE;
    let list = [API_KEYS, GROUPS, USERS, TENANTS].into_iter().find(|list| {
        path.strip_prefix(list)
            .is_some_and(|rest| rest.starts_with('/'))
    });
    list.filter(|_| !is_form).unwrap_or(path)
}

/// The path of the page that other tenants have too: [`page_path`], and the list of keys for a page that belongs to no tenant.
#[must_use]
pub fn page_in_any_tenant(path: &str) -> &str {
    match page_path(path) {
        TENANTS | INSTALLATION_LOG => API_KEYS,
        page => page,
    }
}

/// The list of tenants for the choice of a tenant in which the page at `path` opens.
#[must_use]
pub fn choice_of_tenant(path: &str) -> String {
    let page = page_in_any_tenant(path);
    // The list of keys is the default.
    let page = if page == API_KEYS { "" } else { page };
    with_parameters(TENANTS, &[(PAGE, page)])
}

/// Whether a session that lacks a second factor may open the page or form at `path`.
#[must_use]
pub fn is_set_up_of_second_factor(path: &str) -> bool {
    path == SECOND_FACTOR || path == CONFIRM_SECOND_FACTOR
}

/// The prefix of every server function.
pub const SERVER_FUNCTIONS: &str = "/api/pages";

/// The characters that are not escaped in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Percent-encodes the value of a parameter.
fn encode(value: &str) -> String {
    utf8_percent_encode(value, QUERY).to_string()
}

/// `path` with these parameters; empty ones are omitted.
#[must_use]
pub fn with_parameters(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = path.to_owned();
    let mut separator = '?';
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        url.push(separator);
        url.push_str(name);
        url.push('=');
        url.push_str(&encode(value));
        separator = '&';
    }
    url
}

/// `url` of a dialog, opened by the page of the key or by the list.
#[must_use]
pub fn with_opener(mut url: String, is_from_key: bool) -> String {
    if is_from_key {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(FROM);
        url.push('=');
        url.push_str(FROM_KEY);
    }
    url
}

/// The URL of the sign-in page that leads back to `return_to`, a path with its query.
#[must_use]
pub fn sign_in(return_to: &str) -> String {
    with_parameters(SIGN_IN, &[("return_to", return_to)])
}

/// The link that begins single sign-on and leads back to `return_to`, a path with its query. With `is_fresh`, the provider has to authenticate
/// the person anew, also if it has a session of them.
#[must_use]
pub fn single_sign_on(return_to: &str, is_fresh: bool) -> String {
    let fresh = if is_fresh { "1" } else { "" };
    with_parameters(
        SINGLE_SIGN_ON,
        &[("return_to", return_to), ("fresh", fresh)],
    )
}

/// Returns `target` if it is a path of this site, for the redirect after sign-in. Refuses anything that a browser could interpret as
/// another host: `//host`, `/\host`, also with white space or control characters that a browser skips.
#[must_use]
pub fn local_path(target: &str) -> Option<&str> {
    let mut bytes = target.bytes();
    let local = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && target
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    // A redirect to the sign-in page would loop.
    let circle = target == SIGN_IN
        || target.starts_with("/sign-in?")
        || target.starts_with("/sign-in/")
        || target == SIGN_OUT;
    (local && !circle).then_some(target)
}

/// The page after sign-in: the requested one, or the first page of the role. A user who may not open the list of keys, which `/` leads to,
/// gets their own first page instead.
#[must_use]
pub fn after_sign_in(return_to: Option<&str>, role: Role) -> &str {
    match return_to {
        Some(target) if target != API_KEYS => target,
        _ => first_page(role),
    }
}

/// The tenant in the URL. A super user's is part of every page, link, form and server function; other users name none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantQuery(pub Option<String>);

impl TenantQuery {
    /// `path` in this tenant.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.url_with(path, &[])
    }

    /// The section of the guide about the reason of refusal `code`.
    #[must_use]
    pub fn help_on_refusal(&self, code: &str) -> String {
        format!("{}#{code}", self.url(HELP))
    }

    /// `path` with these parameters, in this tenant.
    #[must_use]
    pub fn url_with(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut all = vec![("tenant", self.0.as_deref().unwrap_or_default())];
        all.extend_from_slice(parameters);
        with_parameters(path, &all)
    }
}
