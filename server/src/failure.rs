//! The failure of a command, in terms of its options.

use std::error::Error as StandardError;

use domain::{Error, id::KeyRef};

use crate::logging;

/// The reason for which a command failed: one line, or one line per field that breaks a rule.
#[derive(Debug)]
pub(crate) struct Failure {
    lines: Vec<String>,
}

impl Failure {
    /// Fails with `line`.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self {
            lines: vec![line.into()],
        }
    }

    /// The database at `url`, whose password is masked, cannot be opened.
    pub(crate) fn at_database(url: &str, error: &Error) -> Self {
        match error {
            Error::Invalid(fields) => Self {
                lines: fields
                    .iter()
                    .map(|error| format!("DATABASE_URL: '{url}': {}", error.message))
                    .collect(),
            },
            error => {
                let causes = with_causes(error);
                // The database could be opened, but another server uses it.
                let causes = match causes.find("another latchkey serves") {
                    Some(start) => &causes[start..],
                    None => &causes,
                };
                Self::new(format!("DATABASE_URL: cannot open '{url}': {causes}"))
            }
        }
    }

    /// Writes the failure to standard error.
    pub(crate) fn report(&self) {
        let lines = self.lines.iter().map(|line| format!("error: {line}\n"));
        logging::report(lines.collect());
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(fields) => Self {
                lines: fields
                    .iter()
                    .map(|error| match option_of(&error.field) {
                        // The form's field has line numbers; the option has none.
                        Some("--allow") => {
                            let message = match error.message.split_once(": ") {
                                Some((line, message)) if line.starts_with("Line ") => message,
                                _ => error.message.as_str(),
                            };
                            format!("--allow: {message}")
                        }
                        Some(option) => format!("{option}: {}", error.message),
                        None => format!("{}: {}", error.field, error.message),
                    })
                    .collect(),
            },
            Error::KeyLimitReached { limit } => Self::new(format!(
                "the limit of {limit} keys is reached: revoke one, or raise it with `latchkey tenant set-limit`"
            )),
            Error::GroupInUse { keys, named } => Self::new(group_in_use(keys, &named)),
            error @ Error::OutcomeUnknown(_) => Self::new(format!(
                "{}; look at what is there before you repeat it",
                with_causes(&error)
            )),
            error => Self::new(with_causes(&error)),
        }
    }
}

/// Names the first keys that use the group.
fn group_in_use(keys: u64, named: &[KeyRef]) -> String {
    let names: Vec<_> = named
        .iter()
        .map(|key| format!("'{}' ({})", key.name.escape_debug(), key.id))
        .collect();
    let (noun, verb) = if keys == 1 {
        ("key", "has")
    } else {
        ("keys", "have")
    };
    let rest = match keys.saturating_sub(named.len() as u64) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!(
        "{keys} {noun} {verb} the group: {}{rest}; give them another group or revoke them first",
        names.join(", ")
    )
}

/// The option of a domain field.
fn option_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "name" => "--name",
        "slug" => "--slug",
        "key_limit" => "--key-limit",
        "email" => "--email",
        "role" => "--role",
        "tenant" => "--tenant",
        "password" => "the password",
        "type" => "--type",
        "permissions" => "--permission",
        "description" => "--description",
        "authorization_group_id" => "--group",
        "expires_on" => "--expires",
        "ip_allowlist" => "--allow",
        "reason" => "--reason",
        "file" => "FILE",
        "revoke" => "--revoke",
        "database_url" => "DATABASE_URL",
        "action" => "--action",
        "actor" => "--actor",
        "key_id" => "--key",
        "from" => "--from",
        "to" => "--to",
        "limit" => "--limit",
        "status" => "--status",
        "expiration" => "--expiration",
        "lifetime" => "--lifetime",
        "unused_days" => "--unused-days",
        "policy" => "--policy",
        "q" => "--q",
        "sort" => "--sort",
        _ => return None,
    })
}

/// The error and its causes, on one line.
fn with_causes(error: &Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors contain their cause already.
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line.replace(['\n', '\r'], " ")
}

/// Turns a not-found error into a message with the command that lists the existing ones.
pub(crate) trait NotFoundMessage<Value> {
    /// The error for a tenant with that slug.
    fn or_tenant_not_found(self, slug: &str) -> Result<Value, Failure>;

    /// The error for a `what` called `name`; `listed_by` is the command that lists the existing ones.
    fn or_not_found(self, what: &str, name: &str, listed_by: &str) -> Result<Value, Failure>;
}

impl<Value> NotFoundMessage<Value> for Result<Value, Error> {
    fn or_tenant_not_found(self, slug: &str) -> Result<Value, Failure> {
        self.or_not_found("tenant", slug, "latchkey tenant list")
    }

    fn or_not_found(self, what: &str, name: &str, listed_by: &str) -> Result<Value, Failure> {
        self.map_err(|error| match error {
            Error::NotFound(_) => Failure::new(format!(
                "there is no {what} '{}': `{listed_by}` lists them",
                name.escape_debug()
            )),
            error => error.into(),
        })
    }
}
