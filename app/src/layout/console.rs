//! The data of the console's layout: user and tenants.

use domain::{tenant::TenantRef, user::Role};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;

/// The signed-in user and their tenants. The same on every page of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// The user's e-mail address.
    pub email: String,
    /// The user's role.
    pub role: Role,
    /// The user's own tenant; for a super user, the one in the URL.
    pub tenant: Option<TenantRef>,
    /// The URL of "Contact support".
    pub support_url: Option<String>,
    /// The first [`MAX_SWITCHER_TENANTS`] tenants by name, for a super user; otherwise empty.
    pub tenants: Vec<TenantRef>,
}

/// The number of tenants in the tenant menu; the page of tenants lists all.
pub const MAX_SWITCHER_TENANTS: usize = 20;

/// Returns the data of the layout.
///
/// # Errors
/// [`crate::error::ErrorCode::NotSignedIn`].
#[server(prefix = "/api/pages", endpoint = "get_console", input = crate::page_json::PageJson, output = crate::page_json::PageJson)]
pub async fn get_console(tenant: Option<String>) -> Result<Console, AppError> {
    crate::ssr::respond(read_console(tenant)).await
}

/// Reads the data of the layout.
///
/// # Errors
/// As [`get_console`].
#[cfg(feature = "ssr")]
pub(super) async fn read_console(tenant: Option<String>) -> Result<Console, AppError> {
    use crate::ssr;

    let request = ssr::request()?;
    let user = ssr::signed_in(&request).await?;
    let (mut current, mut tenants) = (user.tenant.as_ref().map(TenantRef::from), Vec::new());
    if let Some(operator) = user.operator() {
        let all = request.store.tenants(&operator).list().await?;
        current = all
            .iter()
            .find(|(each, _)| Some(each.slug.as_str()) == tenant.as_deref())
            .map(|(each, _)| TenantRef::from(each));
        tenants.extend(
            all.iter()
                .take(MAX_SWITCHER_TENANTS)
                .map(|(each, _)| TenantRef::from(each)),
        );
    }
    Ok(Console {
        email: user.user.email.to_string(),
        role: user.user.role,
        tenant: current,
        support_url: request.support_url.as_deref().map(str::to_owned),
        tenants,
    })
}
