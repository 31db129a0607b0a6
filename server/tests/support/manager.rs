//! A key that makes and changes other keys, in a tenant with room for many.

use super::binary::Latchkey;

/// The key, and its group, of which it may make others.
pub(crate) struct Manager {
    /// The identifier of the group.
    pub(crate) group: String,
    pub(crate) secret: String,
}

impl Manager {
    /// In the new tenant Acme.
    pub(crate) fn new(latchkey: &Latchkey) -> Self {
        let tenant = ["tenant", "create", "--name", "Acme"];
        latchkey.answer(&[&tenant[..], &["--key-limit", "100000"]].concat());
        let group = ["group", "create", "--tenant", "acme", "--name", "Managers"];
        let kind = ["--type", "tenant_api_key", "--permission", "api-keys:write"];
        let group = latchkey.answer(&[&group[..], &kind].concat());
        let key = latchkey.answer(&[
            "key", "create", "--tenant", "acme", "--name", "Manager", "--group", "Managers",
        ]);
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        Self {
            group: text(&group["id"]),
            secret: text(&key["secret"]),
        }
    }
}
