//! The settings of single sign-on: their parsers, and the check that they fit together.

use std::sync::Arc;

use domain::{
    store::single_sign_on::SsoRules,
    text::is_plain_line,
    user::{Email, Role},
};
use url::{Host, Url};

use super::{Config, ConfigError, display::quoted, hidden::Hidden};

/// The entries of the role map: the value of the claim, and its role. The first entry that matches counts.
pub type RoleMap = Arc<[(String, Role)]>;

/// The settings of the provider, complete.
#[derive(Clone, Debug)]
pub struct SsoSettings {
    /// The issuer, exactly as the provider names it.
    pub issuer: Arc<str>,
    /// The identifier of Latchkey at the provider.
    pub client_id: Arc<str>,
    /// The secret of Latchkey at the provider; `None` for a public client.
    pub client_secret: Option<Hidden>,
    /// The URL to which the provider sends the browser back.
    pub callback: Url,
    /// Which persons may sign in.
    pub rules: SsoRules,
    /// The roles by the values of the role claim.
    pub role_map: RoleMap,
}

impl Config {
    /// The settings of the provider; `None` without single sign-on.
    #[must_use]
    pub fn single_sign_on(&self) -> Option<SsoSettings> {
        let mut callback = self.public_url.clone()?;
        callback.set_path(app::urls::SINGLE_SIGN_ON_CALLBACK);
        Some(SsoSettings {
            issuer: self.oidc_issuer.clone()?,
            client_id: self.oidc_client_id.clone()?,
            client_secret: self.oidc_client_secret.clone(),
            callback,
            rules: SsoRules {
                allowed_domains: self.oidc_allowed_domains.to_vec(),
                tenant_claim: self.oidc_tenant_claim.as_deref().map(str::to_owned),
                role_claim: self.oidc_role_claim.as_deref().map(str::to_owned),
            },
            role_map: Arc::clone(&self.oidc_role_map),
        })
    }
}

/// Refuses settings that contradict each other, or that have no effect without another one.
///
/// # Errors
/// The first contradiction.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let refused = |variable: &str, problem: &str| {
        Err(ConfigError {
            variable: variable.to_owned(),
            problem: problem.to_owned(),
        })
    };
    const ISSUER: &str = "LATCHKEY_OIDC_ISSUER";
    if config.oidc_issuer.is_none() {
        let without_effect = [
            ("LATCHKEY_OIDC_CLIENT_ID", config.oidc_client_id.is_some()),
            (
                "LATCHKEY_OIDC_CLIENT_SECRET",
                config.oidc_client_secret.is_some(),
            ),
            (
                "LATCHKEY_OIDC_ALLOWED_DOMAINS",
                !config.oidc_allowed_domains.is_empty(),
            ),
            (
                "LATCHKEY_OIDC_TENANT_CLAIM",
                config.oidc_tenant_claim.is_some(),
            ),
            ("LATCHKEY_OIDC_ROLE_CLAIM", config.oidc_role_claim.is_some()),
            ("LATCHKEY_OIDC_ROLE_MAP", !config.oidc_role_map.is_empty()),
        ];
        if let Some((variable, _)) = without_effect.iter().find(|(_, is_set)| *is_set) {
            return refused(
                variable,
                "it has no effect without LATCHKEY_OIDC_ISSUER: set both, or neither",
            );
        }
        if !config.password_sign_in {
            return refused(
                "LATCHKEY_PASSWORD_SIGN_IN",
                "'off' leaves no way to sign in without LATCHKEY_OIDC_ISSUER: set that, or leave password sign-in on",
            );
        }
        return Ok(());
    }
    if config.oidc_client_id.is_none() {
        return refused(ISSUER, "it needs LATCHKEY_OIDC_CLIENT_ID");
    }
    if config.public_url.is_none() {
        return refused(
            ISSUER,
            "it needs LATCHKEY_PUBLIC_URL, to which the provider sends the browser back",
        );
    }
    if config.oidc_role_claim.is_some() == config.oidc_role_map.is_empty() {
        let variable = match config.oidc_role_claim {
            Some(_) => "LATCHKEY_OIDC_ROLE_CLAIM",
            None => "LATCHKEY_OIDC_ROLE_MAP",
        };
        return refused(
            variable,
            "LATCHKEY_OIDC_ROLE_CLAIM and LATCHKEY_OIDC_ROLE_MAP have no effect without each other: set both, or neither",
        );
    }
    if config.oidc_tenant_claim.is_some() && config.oidc_role_claim.is_none() {
        return refused(
            "LATCHKEY_OIDC_TENANT_CLAIM",
            "new users need a tenant and a role: set LATCHKEY_OIDC_ROLE_CLAIM and LATCHKEY_OIDC_ROLE_MAP too",
        );
    }
    Ok(())
}

/// An https URL, or an http URL of this machine; `None` for an empty text. Kept as it is written, because the provider's own spelling counts.
pub(super) fn issuer(text: &str) -> Result<Option<Arc<str>>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).ok().filter(|url| {
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        is_safe
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    match url {
        Some(_) => Ok(Some(text.into())),
        None => Err(format!(
            "{} is not an issuer: write the URL that the provider names, like https://login.example/realms/staff; http is accepted on 127.0.0.1, [::1] and localhost alone",
            quoted(text)
        )),
    }
}

/// Whether the host of the URL is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// One plain line; `None` for an empty text.
pub(super) fn line(text: &str) -> Result<Option<Arc<str>>, String> {
    const LONGEST: usize = 255;
    match text {
        "" => Ok(None),
        text if is_plain_line(text) && text.chars().count() <= LONGEST => Ok(Some(text.into())),
        text => Err(format!(
            "{} is not one line of at most {LONGEST} characters",
            quoted(text)
        )),
    }
}

/// The text of the button.
pub(super) fn button(text: &str) -> Result<Arc<str>, String> {
    const LONGEST: usize = 60;
    if is_plain_line(text) && (1..=LONGEST).contains(&text.chars().count()) {
        Ok(text.into())
    } else {
        Err(format!(
            "{} is not the text of a button: write one line of at most {LONGEST} characters",
            quoted(text)
        ))
    }
}

/// The client's secret. The error does not show it.
pub(super) fn client_secret(text: &str) -> Result<Option<Hidden>, String> {
    const LONGEST: usize = 4_096;
    match text {
        "" => Ok(None),
        text if is_plain_line(text) && text.len() <= LONGEST => Ok(Some(Hidden::new(text))),
        _ => Err(format!("it is not one line of at most {LONGEST} bytes")),
    }
}

/// Domains, separated by commas, in the form of the domain of an [`Email`].
pub(super) fn domains(text: &str) -> Result<Arc<[String]>, String> {
    let entries = text.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let is_domain = !entry.contains(['@', '*', '/', ':']) && !entry.starts_with('.');
            let email = format!("a@{entry}").parse::<Email>().ok();
            email
                .filter(|_| is_domain)
                .and_then(|email| Some(email.as_str().rsplit_once('@')?.1.to_owned()))
                .ok_or_else(|| {
                    format!(
                        "{} is not a domain: write some like acme.example,acme.test, separated by commas, without @ and *",
                        quoted(entry)
                    )
                })
        })
        .collect()
}

/// Entries `value=role`, separated by commas. A role never is `super_user`.
pub(super) fn role_map(text: &str) -> Result<RoleMap, String> {
    let entries = text.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let parts = entry
                .rsplit_once('=')
                .map(|(value, role)| (value.trim(), role.trim()));
            let Some((value, role)) = parts.filter(|(value, _)| !value.is_empty()) else {
                return Err(format!(
                    "{} is not an entry: write some like latchkey-admins=tenant_admin,staff=member",
                    quoted(entry)
                ));
            };
            match role.parse() {
                Ok(Role::SuperUser) => Err(format!(
                    "{}: a claim cannot make a super user; `latchkey user link-sso` links one",
                    quoted(entry)
                )),
                Ok(role) => Ok((value.to_owned(), role)),
                Err(_) => Err(format!(
                    "{}: a role is tenant_admin or member",
                    quoted(entry)
                )),
            }
        })
        .collect()
}

/// `on` or `off`.
pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{} is not on or off", quoted(text))),
    }
}

#[cfg(test)]
mod tests;
