//! What the console's layout shows of the signed-in user and their tenants.

use domain::{tenant::TenantRef, user::Role};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;

/// Whose console it is. The same for every page of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// Who is signed in.
    pub email: String,
    /// As whom.
    pub role: Role,
    /// The user's own tenant, or the one that a super user named.
    pub tenant: Option<TenantRef>,
    /// Tenants that a super user may change to; at most [`MAX_SWITCHER_TENANTS`] of them, by name.
    pub tenants: Vec<TenantRef>,
}

/// A menu with more entries than this is a list to search in: the page of the tenants.
pub const MAX_SWITCHER_TENANTS: usize = 20;

/// What the frame needs to know.
///
/// # Errors
/// [`crate::error::ErrorCode::NotSignedIn`].
#[server(prefix = "/api/pages", endpoint = "get_console", input = crate::page_json::PageJson, output = crate::page_json::PageJson)]
pub async fn get_console(tenant: Option<String>) -> Result<Console, AppError> {
    use crate::ssr;

    ssr::answer(async {
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
            tenants,
        })
    })
    .await
}
