//! The data of the console's layout: user and tenants.

use chrono::{DateTime, Utc};
use domain::{tenant::TenantRef, user::Role};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{error::AppError, notice::Confirmation};

/// The signed-in user and their tenants. The same on every page of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// The user's e-mail address.
    pub email: String,
    /// The user's role.
    pub role: Role,
    /// The user's own tenant; for a super user, the one in the URL.
    pub tenant: Option<TenantRef>,
    /// The time from which the keys of that tenant are refused; `None` if it is not suspended.
    pub suspended_at: Option<DateTime<Utc>>,
    /// The tenants that a super user opened last in this browser, the latest first; otherwise empty.
    pub recent_tenants: Vec<TenantRef>,
    /// The URL of "Contact support".
    pub support_url: Option<String>,
    /// The confirmation of the change before this page.
    pub confirmation: Option<Confirmation>,
}

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
    let mut current = user.tenant.clone();
    let mut recent_tenants = Vec::new();
    // A session that lacks a second factor sees nothing of the tenants.
    let operator = user.operator().filter(|_| !user.lacks_second_factor());
    if let Some(operator) = operator {
        let tenants = request.store.tenants(&operator);
        if let Some(slug) = tenant.as_deref().filter(|slug| !slug.is_empty()) {
            current = match tenants.find(slug).await {
                Ok(found) => Some(found),
                Err(domain::Error::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            };
        }
        let ids = match &current {
            Some(current) => request.recent_tenants.open(current.id),
            None => request.recent_tenants.ids.clone(),
        };
        let recent = tenants.by_ids(&ids).await?;
        recent_tenants.extend(recent.iter().map(TenantRef::from));
    }
    // A session without its second factor must not read names through the cookie.
    let done = request.done.filter(|_| !user.lacks_second_factor());
    let confirmation = match done {
        Some(done) => crate::confirmation::confirmation(done, &request, tenant.as_deref()).await,
        None => None,
    };
    Ok(Console {
        email: user.user.email.to_string(),
        role: user.user.role,
        tenant: current.as_ref().map(TenantRef::from),
        suspended_at: current.and_then(|tenant| tenant.suspended_at),
        recent_tenants,
        support_url: request.support_url.as_deref().map(str::to_owned),
        confirmation,
    })
}
