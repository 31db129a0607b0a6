//! My account: the page of the signed-in user. A page without script: each section is a form of its own.

pub mod name;
pub mod password;
mod second_factor;
pub mod sessions;
pub mod theme;

use domain::{
    store::{own_account::OwnSessions, second_factor::own::SecondFactorStatus, sessions::SignedIn},
    user::Role,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::{
    name::{NameNotice, name_section},
    password::{PasswordNotice, password_section},
    second_factor::second_factor_section,
    sessions::sessions_section,
    theme::theme_section,
};
use crate::{
    components::{Callout, Icon, PageTitle, Tone},
    error::{AppError, ErrorCode},
    ssr,
    status_pages::Failure,
    urls,
};

/// The data of the page.
struct Account {
    user: SignedIn,
    second_factor: SecondFactorStatus,
    sessions: OwnSessions,
}

/// The page: name, password, second factor, sessions, theme, and the button that signs out.
#[component]
pub fn AccountPage() -> impl IntoView {
    let tenant = use_query_map().with_untracked(|query| query.get("tenant"));
    let notices = Notices {
        name: use_context().unwrap_or_default(),
        password: use_context().unwrap_or_default(),
    };
    view! {
        <Suspense>
            {Suspend::new(async move {
                match ssr::respond(read_account(tenant)).await {
                    Err(error) => view! { <Failure error /> }.into_any(),
                    Ok(account) => page(account, notices),
                }
            })}
        </Suspense>
    }
}

/// The outcomes of the page's forms.
struct Notices {
    name: NameNotice,
    password: PasswordNotice,
}

async fn read_account(tenant: Option<String>) -> Result<Account, AppError> {
    let request = ssr::request()?;
    let user = ssr::signed_in(&request).await?;
    if tenant.is_some() && user.operator().is_none() {
        return Err(AppError::new(ErrorCode::TenantNotYours));
    }
    let own = request.store.own_account(&user);
    let sessions = own.sessions(request.now).await?;
    let second_factor = request.store.own_second_factor(&user).status().await?;
    Ok(Account {
        user,
        second_factor,
        sessions,
    })
}

fn page(account: Account, notices: Notices) -> AnyView {
    let Account {
        user,
        second_factor,
        sessions,
    } = account;
    let about = about(&user);
    let theme = ssr::request()
        .map(|request| request.theme)
        .unwrap_or_default();
    view! {
        <PageTitle text="My account – Latchkey" />
        <div class="page page-form">
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"My account"</h1>
                    <div class="page-meta"><span>{about}</span></div>
                </div>
                <form method="post" action=urls::SIGN_OUT>
                    <button class="button"><Icon name="exit" />"Sign out"</button>
                </form>
            </header>
            <div class="form">
                {name_section(&user.user.name, notices.name)}
                {password_section(user.user.email.as_str(), notices.password)}
                {second_factor_section(&user, &second_factor)}
                {sessions_section(sessions)}
                {theme_section(theme)}
            </div>
        </div>
    }
    .into_any()
}

/// The user in one line: `mira@acme.example, tenant administrator of Acme`.
fn about(user: &SignedIn) -> String {
    let role = match user.user.role {
        Role::SuperUser => "super user",
        Role::TenantAdmin => "tenant administrator",
        Role::Member => "member",
    };
    let tenant = user.tenant.as_ref();
    let of = tenant.map_or_else(String::new, |tenant| format!(" of {}", tenant.name));
    format!("{}, {role}{of}", user.user.email)
}

/// The error of a whole form.
fn failure(message: Option<String>) -> Option<AnyView> {
    message.map(|message| {
        view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }.into_any()
    })
}
