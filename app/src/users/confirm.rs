//! The pages that confirm a change of a user or an invitation: role, disable, enable, end sessions, new link, withdraw.

use domain::{
    store::sessions::SignedIn,
    user::{Role, User},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{SubmittedUser, id_in_path, invite::role_field, named_tenant};
use crate::{
    components::{Breadcrumb, Callout, OfTenant, PageTitle, Tone},
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls,
};

/// The change that a page confirms, by the last part of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Role,
    Disable,
    Enable,
    EndSessions,
    InviteAgain,
    Withdraw,
}

impl Kind {
    fn of_path(path: &str) -> Option<Self> {
        Some(match path.trim_end_matches('/').rsplit('/').next()? {
            "role" => Self::Role,
            "disable" => Self::Disable,
            "enable" => Self::Enable,
            "end-sessions" => Self::EndSessions,
            "invite" => Self::InviteAgain,
            "withdraw" => Self::Withdraw,
            _ => return None,
        })
    }

    /// The last part of the path.
    const fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::EndSessions => "end-sessions",
            Self::InviteAgain => "invite",
            Self::Withdraw => "withdraw",
        }
    }

    fn title(self, name: &str) -> String {
        match self {
            Self::Role => format!("Change role of {name}"),
            Self::Disable => format!("Disable {name}"),
            Self::Enable => format!("Enable {name}"),
            Self::EndSessions => format!("End sessions of {name}"),
            Self::InviteAgain => format!("New link for {name}"),
            Self::Withdraw => format!("Withdraw invitation of {name}"),
        }
    }

    const fn page(self) -> &'static str {
        match self {
            Self::Role => "Change role",
            Self::Disable => "Disable",
            Self::Enable => "Enable",
            Self::EndSessions => "End sessions",
            Self::InviteAgain => "New link",
            Self::Withdraw => "Withdraw invitation",
        }
    }

    /// The text of the button, and of the button while the form is being sent.
    const fn button(self) -> (&'static str, &'static str) {
        match self {
            Self::Role => ("Change role", "Changing…"),
            Self::Disable => ("Disable", "Disabling…"),
            Self::Enable => ("Enable", "Enabling…"),
            Self::EndSessions => ("End sessions", "Ending…"),
            Self::InviteAgain => ("Create link", "Creating…"),
            Self::Withdraw => ("Withdraw", "Withdrawing…"),
        }
    }
}

/// The target of the change.
enum Target {
    User(User),
    /// The address of an invitation.
    Invited(String),
}

impl Target {
    fn name(&self) -> String {
        match self {
            Self::User(user) => user.name.clone(),
            Self::Invited(email) => email.clone(),
        }
    }
}

struct Data {
    target: Target,
    kind: Kind,
    signed_in: SignedIn,
    /// Whether the user is the tenant's only enabled administrator.
    is_last_administrator: bool,
}

/// The confirmation of the change in the URL.
#[component]
pub fn ConfirmUserPage() -> impl IntoView {
    let tenant = named_tenant();
    let id = id_in_path();
    let kind = Kind::of_path(&use_location().pathname.get_untracked());
    let submitted = use_context::<SubmittedUser>();
    view! {
        <Suspense>
            {Suspend::new(async move {
                let read = async {
                    let request = ssr::request()?;
                    let within = ssr::tenant_request_of(&request, tenant.as_deref()).await?;
                    let kind = kind.ok_or_else(|| AppError::new(ErrorCode::NotFound))?;
                    let users = request.store.tenant_users(&within.scope);
                    let id = id?;
                    let user = match kind {
                        Kind::Withdraw => Err(domain::Error::NotFound("user")),
                        _ => users.get(id.into()).await,
                    };
                    let target = match (user, kind) {
                        (Ok(user), _) => Target::User(user),
                        (Err(domain::Error::NotFound(_)), Kind::InviteAgain | Kind::Withdraw) => {
                            Target::Invited(users.invited(id).await?.0.to_string())
                        }
                        (Err(error), _) => return Err(error.into()),
                    };
                    let is_last_administrator = match &target {
                        Target::User(user) => users.is_last_administrator(user).await?,
                        Target::Invited(_) => false,
                    };
                    Ok::<_, AppError>(Data { target, kind, signed_in: within.user, is_last_administrator })
                };
                match ssr::respond(read).await {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(data) => confirmation(&data, submitted),
                }
            })}
        </Suspense>
    }
}

/// The reason for which this user cannot make the change, if any.
fn refusal(data: &Data) -> Option<&'static str> {
    let Target::User(user) = &data.target else {
        return None;
    };
    let is_own = user.id == data.signed_in.user.id;
    let is_operator = data.signed_in.user.role == Role::SuperUser;
    match data.kind {
        Kind::Role | Kind::Disable | Kind::InviteAgain if is_own => {
            Some("Nobody can do this to their own account. Ask another administrator.")
        }
        Kind::Role | Kind::Disable if data.is_last_administrator && !is_operator => Some(
            "This is the tenant’s last enabled administrator. Give another user the role first.",
        ),
        Kind::InviteAgain if user.disabled_at.is_some() => {
            Some("A disabled user gets no link. Enable the user first.")
        }
        _ => None,
    }
}

/// The effect of the change.
fn effect(data: &Data) -> &'static str {
    match (data.kind, &data.target) {
        (Kind::Role, _) => "The new role applies to the next request. Sessions continue.",
        (Kind::Disable, _) => {
            "All sessions end and sign-ins are refused, until the user is enabled again. Keys that the user generated continue to work. Links \
             that the user made, or that were made for the user, end."
        }
        (Kind::Enable, _) => "The user can sign in again with the password as it was.",
        (Kind::EndSessions, _) => "The user must sign in again in every browser.",
        (Kind::InviteAgain, Target::User(_)) => {
            "For a user who forgot the password: you get a link that works once within 72 hours and sets a new password. The present password \
             is valid until then."
        }
        (Kind::InviteAgain, Target::Invited(_)) => {
            "You get a new link that works once within 72 hours. The earlier link ends."
        }
        (Kind::Withdraw, _) => "The link is refused from now on.",
    }
}

fn confirmation(data: &Data, submitted: Option<SubmittedUser>) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let list = tenant.url(urls::USERS);
    let name = data.target.name();
    let (id, about, role) = match &data.target {
        Target::User(user) => (
            user.id.to_string(),
            format!("{}, {}", user.email, user.role.label().to_lowercase()),
            user.role,
        ),
        Target::Invited(_) => (String::new(), "invited".to_owned(), Role::Member),
    };
    let id = if id.is_empty() {
        id_in_path().map(|id| id.to_string()).unwrap_or_default()
    } else {
        id
    };
    let failure = submitted
        .and_then(|submitted| submitted.error)
        .map(|error| {
            let message = (error.fields.first())
                .map_or_else(|| error.message.clone(), |fault| fault.message.clone());
            view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }
        });
    let (button, wait) = data.kind.button();
    let title = data.kind.title(&name);
    let content = match refusal(data) {
        Some(reason) => view! {
            <Callout tone=Tone::Warning><p>{reason}</p></Callout>
            <div class="form-actions"><a class="button" href=list.clone()>"Back to the users"</a></div>
        }
        .into_any(),
        None => {
            let warning = (matches!(data.kind, Kind::Role | Kind::Disable) && data.is_last_administrator).then(|| {
                view! {
                    <Callout tone=Tone::Warning>
                        <p>"This is the tenant’s last enabled administrator: only super users can manage the tenant afterwards."</p>
                    </Callout>
                }
            });
            let fields = (data.kind == Kind::Role).then(|| role_field(role, Signal::stored(Vec::new())));
            view! {
                <p><strong dir="auto">{name.clone()}</strong><OfTenant />": "{effect(data)}</p>
                {warning}
                {fields}
                <div class="form-actions">
                    <a class="button" href=list.clone()>"Cancel"</a>
                    <button class="button button-primary" data-wait=wait><span>{button}</span></button>
                </div>
            }
            .into_any()
        }
    };
    let action = tenant.url(&format!("{}/{id}/{}", urls::USERS, data.kind.word()));
    view! {
        <PageTitle text=format!("{title} – Latchkey") />
        <div class="page">
            <Breadcrumb
                section=MenuSection::Access
                parent=("Users", Signal::stored(list))
                page=data.kind.page()
            />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1" dir="auto">{title.clone()}</h1>
                    <div class="page-meta"><p>{about}</p></div>
                </div>
            </header>
            <form class="form form-text" method="post" action=action>
                {failure}
                {content}
            </form>
        </div>
    }
    .into_any()
}
