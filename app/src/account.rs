//! The user's own page.

use domain::{tenant::TenantRef, user::User};
use leptos::prelude::*;
use leptos_meta::Title;
use serde::{Deserialize, Serialize};

use crate::{
    components::Icon, error::AppError, layout::use_named_tenant, status_pages::Failure, urls,
};

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Who is signed in.
    pub user: User,
    /// The user's tenant; a super user has none.
    pub tenant: Option<TenantRef>,
}

/// Who is signed in.
///
/// # Errors
/// [`crate::error::ErrorCode::TenantNotYours`] where somebody who is no super user names a tenant.
#[server(prefix = "/api/pages", endpoint = "get_account", input = leptos::server_fn::codec::Json)]
pub async fn get_account(tenant: Option<String>) -> Result<Account, AppError> {
    use crate::{error::ErrorCode, ssr};

    ssr::answer(async {
        let user = ssr::signed_in(&ssr::request()?).await?;
        if tenant.is_some() && user.operator().is_none() {
            return Err(AppError::new(ErrorCode::TenantNotYours));
        }
        Ok(Account {
            tenant: user.tenant.as_ref().map(TenantRef::from),
            user: user.user,
        })
    })
    .await
}

/// Who is signed in, as whom, where, and how to leave.
#[component]
pub fn AccountPage() -> impl IntoView {
    let tenant = use_named_tenant();
    let account = Resource::new(move || tenant.get(), get_account);
    let page = move || {
        account.get().map(|account| match account {
            Err(error) => view! { <Failure error /> }.into_any(),
            Ok(account) => view! { <Facts account /> }.into_any(),
        })
    };
    view! { <Transition>{page}</Transition> }
}

#[component]
fn Facts(account: Account) -> impl IntoView {
    let tenant = account.tenant.map(|tenant| {
        view! { <div><dt>"Tenant"</dt><dd>{tenant.name}</dd></div> }
    });
    view! {
        <Title text="My account – Latchkey" />
        <div class="page">
            <nav aria-label="Breadcrumb">
                <ol class="breadcrumbs"><li aria-current="page">"My account"</li></ol>
            </nav>
            <header class="page-header">
                <div><h1 tabindex="-1">"My account"</h1></div>
                <form method="post" action=urls::SIGN_OUT>
                    <button class="button"><Icon name="exit" />"Sign out"</button>
                </form>
            </header>
            <dl class="facts">
                <div><dt>"Name"</dt><dd>{account.user.name}</dd></div>
                <div><dt>"Email"</dt><dd>{account.user.email.to_string()}</dd></div>
                <div><dt>"Role"</dt><dd>{account.user.role.label()}</dd></div>
                {tenant}
            </dl>
        </div>
    }
    .into_any()
}
