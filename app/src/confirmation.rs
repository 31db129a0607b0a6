//! The confirmation of the change that the previous page made, with the name of its object from the database.

use crate::{
    done::Done,
    error::{AppError, ErrorCode},
    notice::Confirmation,
    ssr::{self, RequestContext},
};

/// The confirmation of `done` for the page. `None` if the object does not belong to the tenant.
pub(crate) async fn confirmation(
    done: Done,
    request: &RequestContext,
    tenant: Option<&str>,
) -> Option<Confirmation> {
    describe(done, request, tenant).await.ok()
}

async fn describe(
    done: Done,
    request: &RequestContext,
    tenant: Option<&str>,
) -> Result<Confirmation, AppError> {
    let (name, row) = match done {
        Done::Generated(id) | Done::Saved(id, _) | Done::Rotated(id) | Done::Revoked(id, _) => {
            let scope = ssr::tenant_request_of(request, tenant).await?.scope;
            let key = request.store.keys(&scope).get(id, request.now).await?;
            (key.name.as_str().to_owned(), Some(id.to_string()))
        }
        Done::GroupCreated(id) | Done::GroupSaved(id) => {
            let scope = ssr::tenant_request_of(request, tenant).await?.scope;
            let group = request.store.groups(&scope).get(id).await?;
            (group.name, Some(id.to_string()))
        }
        Done::RoleChanged(id)
        | Done::UserDisabled(id)
        | Done::UserEnabled(id)
        | Done::UserSignedOut(id) => {
            let scope = ssr::tenant_request_of(request, tenant).await?.scope;
            let user = request.store.tenant_users(&scope).get(id).await?;
            (user.name, Some(id.to_string()))
        }
        Done::TenantCreated(id)
        | Done::TenantSaved(id)
        | Done::TenantSuspended(id, _)
        | Done::TenantResumed(id, _) => {
            let user = ssr::signed_in(request).await?;
            let forbidden = || AppError::new(ErrorCode::Forbidden);
            let operator = user.operator().ok_or_else(forbidden)?;
            let found = request.store.tenants(&operator).by_ids(&[id]).await?;
            let tenant = found.into_iter().next();
            let tenant = tenant.ok_or_else(|| AppError::new(ErrorCode::NotFound))?;
            (tenant.name, Some(id.to_string()))
        }
        Done::RevokedMany(..)
        | Done::GroupDeleted
        | Done::PolicySaved(_)
        | Done::PasswordChanged
        | Done::NameSaved
        | Done::SessionsEnded(_)
        | Done::SecondFactorDisabled
        | Done::ThemeSaved
        | Done::InvitationWithdrawn => (String::new(), None),
    };
    let text = done.sentence_about(&name);
    Ok(Confirmation {
        text,
        row,
        is_of_tenant: done.is_of_tenant(),
    })
}
