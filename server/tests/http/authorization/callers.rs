//! The callers of the expectation table, and the response that each gets.

use domain::{key::IssuedKey, user::Role};
use server::clock;
use uuid::Uuid;

use super::{
    super::test_app::{KeySpec, TestApp, day},
    table::{Admits, Row},
};

/// A kind of caller. Acme is the tenant of the target, Globex another one, Initech a suspended one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// No credential.
    Stranger,
    /// A member of Acme.
    Member,
    /// An administrator of Acme.
    Administrator,
    /// An administrator of Acme whose request names Acme.
    AdministratorNamingAcme,
    /// An administrator of Globex.
    ForeignAdministrator,
    /// An administrator of Globex whose request names Acme.
    ForeignAdministratorNamingAcme,
    /// A super user whose request names Acme.
    SuperUserInAcme,
    /// A super user whose request names no tenant.
    SuperUser,
    /// A super user whose request names a tenant that does not exist.
    SuperUserInAbsentTenant,
    /// A super user who needs a second factor and signed in without one.
    SuperUserWithoutSecondFactor,
    /// An administrator of Acme who was disabled after the sign-in.
    DisabledAdministrator,
    /// An administrator of a tenant that was suspended after the sign-in.
    SuspendedAdministrator,
    /// An administrator of Acme with the cookie of a session that was signed out.
    SignedOutAdministrator,
    /// A key of Acme with only the permission of the row.
    KeyWithPermission,
    /// A key of Acme with every permission but that of the row.
    KeyWithoutPermission,
    /// A key of Globex with only the permission of the row.
    ForeignKey,
    /// A revoked key of Acme with the permission of the row.
    RevokedKey,
    /// An expired key of Acme with the permission of the row.
    ExpiredKey,
    /// A key of a suspended tenant with the permission of the row.
    SuspendedKey,
}

use Caller::*;

impl Caller {
    pub(super) const ALL: [Self; 19] = [
        Stranger,
        Member,
        Administrator,
        AdministratorNamingAcme,
        ForeignAdministrator,
        ForeignAdministratorNamingAcme,
        SuperUserInAcme,
        SuperUser,
        SuperUserInAbsentTenant,
        SuperUserWithoutSecondFactor,
        DisabledAdministrator,
        SuspendedAdministrator,
        SignedOutAdministrator,
        KeyWithPermission,
        KeyWithoutPermission,
        ForeignKey,
        RevokedKey,
        ExpiredKey,
        SuspendedKey,
    ];

    /// Role and tenant of a caller that has signed in.
    const fn user(self) -> Option<(Role, Option<&'static str>)> {
        match self {
            Member => Some((Role::Member, Some("acme"))),
            Administrator
            | AdministratorNamingAcme
            | DisabledAdministrator
            | SignedOutAdministrator => Some((Role::TenantAdmin, Some("acme"))),
            ForeignAdministrator | ForeignAdministratorNamingAcme => {
                Some((Role::TenantAdmin, Some("globex")))
            }
            SuspendedAdministrator => Some((Role::TenantAdmin, Some("initech"))),
            SuperUserInAcme
            | SuperUser
            | SuperUserInAbsentTenant
            | SuperUserWithoutSecondFactor => Some((Role::SuperUser, None)),
            _ => None,
        }
    }

    fn email(self) -> String {
        format!("{self:?}@latchkey.example").to_lowercase()
    }

    /// The tenant that the request names.
    pub(super) const fn named_tenant(self) -> Option<&'static str> {
        match self {
            AdministratorNamingAcme | ForeignAdministratorNamingAcme | SuperUserInAcme => {
                Some("acme")
            }
            SuperUserInAbsentTenant => Some("nowhere"),
            _ => None,
        }
    }

    /// Whether the caller belongs to Acme or acts in it.
    pub(super) const fn is_of_acme(self) -> bool {
        matches!(
            self,
            Member | Administrator | SuperUserInAcme | KeyWithPermission | KeyWithoutPermission
        )
    }
}

/// The kind of interface to which a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    /// The JSON API, with keys.
    Api,
    /// Server functions, with sessions.
    Function,
    /// Pages, with sessions.
    Page,
    /// Forms and exports of the pages.
    FormOrFile,
}

pub(super) fn interface(row: &Row) -> Interface {
    if row.path.starts_with("/api/v1") {
        Interface::Api
    } else if row.path.starts_with("/api/pages/") {
        Interface::Function
    } else if row.method == "GET" && !row.path.contains("export") {
        Interface::Page
    } else {
        Interface::FormOrFile
    }
}

/// The expected response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The row's request is carried out.
    Admitted(u16),
    /// The request is refused with this status and, for programs, this code.
    Refused(u16, &'static str),
    /// The browser is sent to the sign-in page and back.
    SignIn,
    /// The browser is sent to the list of tenants.
    Tenants,
    /// The browser is sent to the page that sets up a second factor.
    SetUp,
}

/// The response that this caller gets from this row.
pub(super) fn expected(row: &Row, caller: Caller) -> Expected {
    use Expected::{Admitted, Refused};
    match row.admits {
        // The sign-in page sends a signed-in user on.
        Admits::Everyone
            if row.path == "/sign-in" && row.method == "GET" && has_session(caller) =>
        {
            Admitted(303)
        }
        Admits::Everyone => Admitted(row.good),
        Admits::OwnKey if caller == SuspendedKey => Admitted(row.good),
        Admits::AnyKey | Admits::OwnKey | Admits::Permission(_) => match caller {
            KeyWithPermission => Admitted(row.good),
            KeyWithoutPermission if !matches!(row.admits, Admits::Permission(_)) => {
                Admitted(row.good)
            }
            KeyWithoutPermission => Refused(403, "missing_permission"),
            ForeignKey if row.has_target() => refused_target(row),
            ForeignKey => Admitted(row.foreign),
            RevokedKey => Refused(401, "revoked_api_key"),
            ExpiredKey => Refused(401, "expired_api_key"),
            SuspendedKey => Refused(403, "tenant_suspended"),
            _ => Refused(401, "missing_api_key"),
        },
        Admits::SignedIn | Admits::Managers | Admits::SuperUsers if !has_session(caller) => {
            match interface(row) {
                Interface::Function => Refused(401, "not_signed_in"),
                _ => Expected::SignIn,
            }
        }
        Admits::SignedIn if caller == SuperUserWithoutSecondFactor && is_set_up(row) => {
            Admitted(row.good)
        }
        Admits::SignedIn | Admits::Managers | Admits::SuperUsers
            if caller == SuperUserWithoutSecondFactor =>
        {
            match interface(row) {
                Interface::Function => Refused(403, "second_factor_needed"),
                _ => Expected::SetUp,
            }
        }
        Admits::SignedIn => match caller {
            // The layout of the page that refuses the tenant shows the caller's own one.
            _ if row.path == "/api/pages/get_console" => Admitted(row.good),
            AdministratorNamingAcme | ForeignAdministratorNamingAcme => {
                Refused(403, "tenant_not_yours")
            }
            _ => Admitted(row.good),
        },
        Admits::Managers => match caller {
            Administrator | SuperUserInAcme => Admitted(row.good),
            ForeignAdministrator if row.has_target() => refused_target(row),
            ForeignAdministrator => Admitted(row.good),
            AdministratorNamingAcme | ForeignAdministratorNamingAcme => {
                Refused(403, "tenant_not_yours")
            }
            SuperUser if interface(row) == Interface::Page => Expected::Tenants,
            SuperUser => Refused(422, "tenant_needed"),
            SuperUserInAbsentTenant => Refused(404, "no_such_tenant"),
            _ => Refused(403, "forbidden"),
        },
        Admits::SuperUsers => match caller {
            SuperUserInAcme | SuperUser | SuperUserInAbsentTenant => Admitted(row.good),
            _ => Refused(403, "forbidden"),
        },
    }
}

/// The response if the target belongs to another tenant or does not exist.
pub(super) fn refused_target(row: &Row) -> Expected {
    let code = match (row.foreign, interface(row)) {
        (404, _) => "not_found",
        (_, Interface::Api) => "validation_failed",
        _ => "invalid",
    };
    Expected::Refused(row.foreign, code)
}

/// Whether the row is the page that sets up a second factor, or one of its forms.
fn is_set_up(row: &Row) -> bool {
    matches!(
        row.path,
        "/account/second-factor" | "/account/second-factor/confirm"
    )
}

/// Whether the caller has a valid session.
fn has_session(caller: Caller) -> bool {
    let ended = [
        DisabledAdministrator,
        SuspendedAdministrator,
        SignedOutAdministrator,
    ];
    caller.user().is_some() && !ended.contains(&caller)
}

/// The session cookie and the secret in a caller's requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Credential {
    /// The `name=value` of the session cookie.
    pub(super) session: Option<String>,
    pub(super) secret: Option<String>,
}

/// Signs in every user. Disables one, signs one out and suspends the tenant of another.
pub(super) async fn sign_in_all(app: &TestApp) -> Vec<(Caller, Credential)> {
    app.add_tenant("globex", "Globex").await;
    app.add_tenant("initech", "Initech").await;
    app.add_tenant("hooli", "Hooli").await;
    let mut callers = Vec::new();
    for caller in Caller::ALL {
        let mut credential = Credential::default();
        if let Some((role, tenant)) = caller.user() {
            app.add_user(&caller.email(), role, tenant).await;
            credential.session = Some(app.sign_in(&caller.email()).await);
        }
        callers.push((caller, credential));
    }
    let cli = app.store.as_cli();
    let disabled = DisabledAdministrator.email().parse().unwrap();
    let users = app.store.users(&cli);
    users.disable(&disabled, clock::now()).await.unwrap();
    for (caller, credential) in &callers {
        if let (SignedOutAdministrator, Some(session)) = (caller, &credential.session) {
            let request = app.post("/sign-out").same_origin().cookie(session);
            assert_eq!(request.send().await.status, 303);
        }
    }
    app.suspend("initech").await;
    // The other super users signed in with their second factors.
    let lacking = SuperUserWithoutSecondFactor.email();
    app.execute(&format!(
        "UPDATE sessions SET authentication = 'second_factor' \
         WHERE user_id <> (SELECT id FROM users WHERE email = '{lacking}')"
    ));
    callers
}

/// The secret of a caller's key for this row.
pub(super) async fn secret_of(app: &TestApp, caller: Caller, row: &Row) -> Option<String> {
    let tenant = match caller {
        KeyWithPermission | KeyWithoutPermission | RevokedKey | ExpiredKey => "acme",
        ForeignKey => "globex",
        SuspendedKey => "initech",
        _ => return None,
    };
    let required = match row.admits {
        Admits::Permission(permission) => permission,
        _ => "none:here",
    };
    // A key that creates or changes others needs their permissions.
    let permissions: Vec<&str> = if caller == KeyWithoutPermission {
        let all = server::router::permissions().into_iter();
        all.filter(|permission| *permission != required)
            .chain(["orders:read"])
            .collect()
    } else {
        vec![required, "orders:read"]
    };
    let spec = KeySpec {
        name: format!("{caller:?}"),
        tenant,
        expires_on: (caller == ExpiredKey).then(|| day(-1)),
        ..KeySpec::default()
    };
    let key = issue_with(app, spec, &permissions).await;
    if caller == RevokedKey {
        app.revoke(tenant, &key).await;
    }
    Some(key.secret.expose().to_owned())
}

/// Creates a key with a group of its own.
pub(super) async fn issue_with(app: &TestApp, spec: KeySpec, permissions: &[&str]) -> IssuedKey {
    let name = format!("{} {}", spec.name, Uuid::now_v7());
    let group = app.named_group(spec.tenant, &name, permissions).await;
    app.issue_to(&group, spec).await
}
