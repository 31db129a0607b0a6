//! The tables of pages and of server functions. Routes, menu and the server's route table are derived from them.

use leptos::{children::ToChildren, prelude::*, tachys::view::iterators::StaticVec};
use leptos_meta::provide_meta_context;
use leptos_router::{
    NestedRoute, SsrMode,
    any_nested_route::{AnyNestedRoute, IntoAnyNestedRoute as _},
    components::{RouteChildren, Router, Routes, RoutesProps},
};

#[cfg(not(feature = "ssr"))]
use crate::status_pages::NotFoundPage as UnknownPage;
#[cfg(feature = "ssr")]
use crate::{
    account::AccountPage,
    api_docs::ApiDocsPage,
    audit_log::{AuditLogPage, InstallationLogPage},
    groups::{
        delete::DeleteGroupPage,
        form::{EditGroupPage, NewGroupPage},
        list::GroupsPage,
    },
    help::HelpPage,
    key_page::KeyPage,
    layout::open::{OpenLayout, UnknownPage},
    second_factor::{
        DisableSecondFactorPage, NewRecoveryCodesPage, SecondFactorPage,
        second_step::SecondStepPage,
    },
    security_policy::form::SecurityPolicyPage,
    sign_in::SignInPage,
    tenants::{
        form::{EditTenantPage, NewTenantPage},
        list::TenantsPage,
        suspension::{ResumeTenantPage, SuspendTenantPage},
    },
    users::{confirm::ConfirmUserPage, invite::InvitePage, list::UsersPage},
};
use crate::{
    api_keys::{dialog_target::DIALOGS, generate::GeneratePage, list::ApiKeysPage},
    layout::Layout,
    page::{Access, MenuEntry, MenuSection, Page, PagePath, PageTable},
    urls,
};

/// The view of a page without script. The browser's bundle does not contain the view.
macro_rules! server_view {
    ($page:ident) => {{
        #[cfg(feature = "ssr")]
        let view = || view! { <$page /> }.into_any();
        #[cfg(not(feature = "ssr"))]
        let view = || ().into_any();
        view
    }};
}

/// Every page, in the order of the menu. If two paths match a URL, the first one applies.
pub static PAGES: &[Page] = &[
    Page {
        path: urls::SIGN_IN,
        access: Access::Anyone,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(SignInPage),
    },
    Page {
        path: urls::SECOND_STEP,
        access: Access::Anyone,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(SecondStepPage),
    },
    Page {
        path: urls::GENERATE,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: true,
        view: || view! { <GeneratePage /> }.into_any(),
    },
    Page {
        path: urls::API_KEYS,
        access: Access::KeyManager,
        menu: Some(MenuEntry {
            section: MenuSection::DataAndMonitoring,
            label: "API Keys",
            icon: "key",
        }),
        dialogs: DIALOGS,
        has_script: true,
        view: || view! { <ApiKeysPage /> }.into_any(),
    },
    Page {
        path: urls::KEY,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(KeyPage),
    },
    Page {
        path: urls::AUDIT_LOG,
        access: Access::KeyManager,
        menu: Some(MenuEntry {
            section: MenuSection::DataAndMonitoring,
            label: "Audit Log",
            icon: "log",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(AuditLogPage),
    },
    Page {
        path: urls::GROUPS,
        access: Access::KeyManager,
        menu: Some(MenuEntry {
            section: MenuSection::Access,
            label: "Authorization Groups",
            icon: "shield",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(GroupsPage),
    },
    Page {
        path: urls::NEW_GROUP,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(NewGroupPage),
    },
    Page {
        path: urls::EDIT_GROUP,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(EditGroupPage),
    },
    Page {
        path: urls::DELETE_GROUP,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(DeleteGroupPage),
    },
    Page {
        path: urls::USERS,
        access: Access::KeyManager,
        menu: Some(MenuEntry {
            section: MenuSection::Access,
            label: "Users",
            icon: "users",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(UsersPage),
    },
    Page {
        path: urls::INVITE,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(InvitePage),
    },
    Page {
        path: urls::USER_ROLE,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ConfirmUserPage),
    },
    Page {
        path: urls::DISABLE_USER,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ConfirmUserPage),
    },
    Page {
        path: urls::ENABLE_USER,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ConfirmUserPage),
    },
    Page {
        path: urls::END_SESSIONS,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ConfirmUserPage),
    },
    Page {
        path: urls::INVITE_AGAIN,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ConfirmUserPage),
    },
    Page {
        path: urls::WITHDRAW_INVITATION,
        access: Access::KeyManager,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ConfirmUserPage),
    },
    Page {
        path: urls::SECURITY_POLICY,
        access: Access::KeyManager,
        menu: Some(MenuEntry {
            section: MenuSection::Access,
            label: "Security Policy",
            icon: "policy",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(SecurityPolicyPage),
    },
    Page {
        path: urls::TENANTS,
        access: Access::SuperUser,
        menu: Some(MenuEntry {
            section: MenuSection::Operator,
            label: "Tenants",
            icon: "building",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(TenantsPage),
    },
    Page {
        path: urls::NEW_TENANT,
        access: Access::SuperUser,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(NewTenantPage),
    },
    Page {
        path: urls::EDIT_TENANT,
        access: Access::SuperUser,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(EditTenantPage),
    },
    Page {
        path: urls::SUSPEND_TENANT,
        access: Access::SuperUser,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(SuspendTenantPage),
    },
    Page {
        path: urls::RESUME_TENANT,
        access: Access::SuperUser,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ResumeTenantPage),
    },
    Page {
        path: urls::INSTALLATION_LOG,
        access: Access::SuperUser,
        menu: Some(MenuEntry {
            section: MenuSection::Operator,
            label: "Installation Log",
            icon: "log",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(InstallationLogPage),
    },
    Page {
        path: urls::HELP,
        access: Access::Public,
        menu: Some(MenuEntry {
            section: MenuSection::Help,
            label: "Help",
            icon: "help",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(HelpPage),
    },
    Page {
        path: urls::API_DOCS,
        access: Access::Public,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(ApiDocsPage),
    },
    Page {
        path: urls::ACCOUNT,
        access: Access::SignedIn,
        menu: Some(MenuEntry {
            section: MenuSection::Account,
            label: "My account",
            icon: "user",
        }),
        dialogs: &[],
        has_script: false,
        view: server_view!(AccountPage),
    },
    Page {
        path: urls::SECOND_FACTOR,
        access: Access::SignedIn,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(SecondFactorPage),
    },
    Page {
        path: urls::DISABLE_SECOND_FACTOR,
        access: Access::SignedIn,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(DisableSecondFactorPage),
    },
    Page {
        path: urls::NEW_RECOVERY_CODES,
        access: Access::SignedIn,
        menu: None,
        dialogs: &[],
        has_script: false,
        view: server_view!(NewRecoveryCodesPage),
    },
];

/// A server function: a row of [`SERVER_FUNCTIONS`].
#[cfg(feature = "ssr")]
#[derive(Clone, Copy, Debug)]
pub struct ServerFunction {
    /// Its URL, e.g. `/api/pages/get_console`.
    pub path: &'static str,
    /// The users who may call it.
    pub access: Access,
    /// Whether its response may be compressed: it can be long, and never contains a secret.
    pub is_compressible: bool,
}

#[cfg(feature = "ssr")]
const fn function<F: leptos::server_fn::ServerFn>(access: Access) -> ServerFunction {
    ServerFunction {
        path: F::PATH,
        access,
        is_compressible: false,
    }
}

#[cfg(feature = "ssr")]
const fn compressible<F: leptos::server_fn::ServerFn>(access: Access) -> ServerFunction {
    ServerFunction {
        is_compressible: true,
        ..function::<F>(access)
    }
}

/// Every server function. The type of a function is its name in camel case.
#[cfg(feature = "ssr")]
pub static SERVER_FUNCTIONS: &[ServerFunction] = {
    use crate::{
        api_keys::server_fns::{
            EditApiKey, GenerateApiKey, GetApiKey, GetSelectedKeys, ListApiKeys, OpenEditForm,
            OpenKeyForm, PreviewAllowlist, RevokeApiKey, RevokeApiKeys, RotateApiKey,
        },
        layout::console::GetConsole,
    };

    &[
        function::<GetConsole>(Access::SignedIn),
        compressible::<ListApiKeys>(Access::KeyManager),
        function::<GetApiKey>(Access::KeyManager),
        compressible::<OpenKeyForm>(Access::KeyManager),
        compressible::<OpenEditForm>(Access::KeyManager),
        function::<GenerateApiKey>(Access::KeyManager),
        function::<EditApiKey>(Access::KeyManager),
        function::<PreviewAllowlist>(Access::KeyManager),
        function::<RotateApiKey>(Access::KeyManager),
        function::<RevokeApiKey>(Access::KeyManager),
        compressible::<GetSelectedKeys>(Access::KeyManager),
        function::<RevokeApiKeys>(Access::KeyManager),
    ]
};

/// The application: every page at its path, those behind sign-in within the console's layout. A page is rendered completely before it is
/// sent, so that it works without a script and has the right status.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_context(PageTable(PAGES));
    let props = RoutesProps::builder()
        .fallback(UnknownPage)
        .children(RouteChildren::to_children(routes))
        .build();
    view! { <Router>{Routes(props)}</Router> }
}

fn routes() -> StaticVec<AnyNestedRoute> {
    let (open, in_console): (Vec<&Page>, Vec<&Page>) =
        PAGES.iter().partition(|page| page.access == Access::Anyone);
    let (public, in_console): (Vec<&Page>, Vec<&Page>) =
        (in_console.into_iter()).partition(|page| page.access == Access::Public);
    let within = |layout: fn() -> AnyView, pages: Vec<&Page>| {
        let pages: Vec<_> = pages.into_iter().map(route).collect();
        NestedRoute::new(PagePath(""), layout)
            .ssr_mode(SsrMode::Async)
            .child(StaticVec::from(pages))
            .into_any_nested_route()
    };
    let mut routes: Vec<_> = open.into_iter().map(route).collect();
    routes.push(within(server_view!(OpenLayout), public));
    routes.push(within(
        || view! { <Layout pages=PAGES /> }.into_any(),
        in_console,
    ));
    StaticVec::from(routes)
}

fn route(page: &Page) -> AnyNestedRoute {
    let route = NestedRoute::new(PagePath(page.path), page.view).ssr_mode(SsrMode::Async);
    if page.dialogs.is_empty() {
        return route.into_any_nested_route();
    }
    let dialogs = std::iter::once("").chain(page.dialogs.iter().copied());
    let children: Vec<_> = dialogs
        .map(|path| {
            let empty: fn() = || ();
            NestedRoute::new(PagePath(path), empty).ssr_mode(SsrMode::Async)
        })
        .collect();
    route
        .child(StaticVec::from(children))
        .into_any_nested_route()
}
