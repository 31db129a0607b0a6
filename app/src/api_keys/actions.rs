//! What is done with keys in the pages, for both ways in which a form can come: as a call of a server function, and as a form that was
//! sent without a script. Each is a door: it authorises, parses, calls the store, and wraps.

use domain::{
    Error,
    key::{IssuedKey, RotatedKey, form::KeyForm, today},
    propagation::Propagation,
    store::idempotency::{IdempotencyKey, Idempotent},
};
use uuid::Uuid;

use super::{
    responses::{Conflict, Edited, Issued, KeyDetail, KeyFormContext},
    rotate::rotated_expiry,
};
use crate::{
    error::{AppError, ErrorCode},
    ssr::{self, RequestContext, TenantRequest},
};

/// One key, for a dialog.
///
/// # Errors
/// Those of the fence; not found, also where `id` is not an identifier.
pub async fn key_detail(
    request: &RequestContext,
    tenant: Option<&str>,
    id: &str,
) -> Result<KeyDetail, AppError> {
    let TenantRequest { scope, .. } = ssr::tenant_request_of(request, tenant).await?;
    let key = request
        .store
        .keys(&scope)
        .get(key_id(id)?, request.now)
        .await?;
    Ok(KeyDetail {
        version: key.version,
        key,
        form_id: Uuid::now_v7(),
        now: request.now,
    })
}

/// What the form of a key needs to know.
///
/// # Errors
/// Those of the fence.
pub async fn form_context(
    request: &RequestContext,
    tenant: Option<&str>,
) -> Result<KeyFormContext, AppError> {
    let TenantRequest { scope, .. } = ssr::tenant_request_of(request, tenant).await?;
    Ok(KeyFormContext {
        groups: request.store.groups(&scope).list_for_keys().await?,
        usage: request.store.keys(&scope).quota().await?,
        now: request.now,
        client: request.client,
        form_id: Uuid::now_v7(),
    })
}

/// Makes a key; with a `form_id`, once.
///
/// # Errors
/// The broken rules of the form; the key limit.
pub async fn generate(
    request: &RequestContext,
    tenant: Option<&str>,
    form: &KeyForm,
    form_id: Option<Uuid>,
) -> Result<Idempotent<Issued>, AppError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let new = form
        .validate(today(request.now))
        .map_err(AppError::invalid)?;
    let keys = request.store.keys(&scope);
    let outcome = match form_id {
        None => Idempotent::Done(keys.create(new, request.now).await?),
        Some(form_id) => {
            let content = content("generate", form);
            let idempotency =
                IdempotencyKey::form(user.user.id, form_id, content.as_bytes(), request.now)?;
            keys.create_once(new, &idempotency, request.now).await?
        }
    };
    Ok(outcome.map(|IssuedKey { key, secret }| Issued {
        key,
        secret,
        origin: request.origin.clone(),
        receipt: None,
    }))
}

/// Saves what the dialog shows, where the key is still the one of that version; with a `form_id`, once.
///
/// # Errors
/// The broken rules of the form; a key that is revoked or not there.
pub async fn edit(
    request: &RequestContext,
    tenant: Option<&str>,
    id: &str,
    version: i64,
    form: &KeyForm,
    form_id: Option<Uuid>,
) -> Result<Edited, AppError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let id = key_id(id)?;
    let changes = form.validate_edit().map_err(AppError::invalid)?;
    let keys = request.store.keys(&scope);
    let saved = match form_id {
        None => keys
            .update(id, changes.clone(), Some(version), request.now)
            .await
            .map(Idempotent::Done),
        Some(form_id) => {
            let content = format!("{}\0{id}\0{version}", content("edit", form));
            let idempotency =
                IdempotencyKey::form(user.user.id, form_id, content.as_bytes(), request.now)?;
            keys.update_once(
                id,
                changes.clone(),
                Some(version),
                &idempotency,
                request.now,
            )
            .await
        }
    };
    match saved {
        Ok(Idempotent::Done(changed)) => Ok(Edited::Saved(changed.receipt)),
        // It was saved by an earlier sending, and perhaps changed by somebody since: nothing is to be undone.
        Ok(Idempotent::Repeated { .. }) => Ok(Edited::Saved(None)),
        Err(Error::Stale) => {
            let key = keys.get(id, request.now).await?;
            // A form that was sent twice, or two people who did the same: it is as it was meant to be.
            if changes.are_in(&key) {
                // Whoever did it is perhaps not answered yet. An edit that changes nothing waits for that, as any other.
                match keys
                    .update(id, changes, Some(key.version), request.now)
                    .await
                {
                    Err(Error::Stale) => {}
                    saved => return Ok(Edited::Saved(saved?.receipt)),
                }
            }
            let by = keys.last_editor(id).await?.map(|editor| editor.name);
            Ok(Edited::Conflict(Box::new(Conflict {
                by,
                version: key.version,
                key,
            })))
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives a key a new secret; with a `form_id`, once. `expires_on` is what stands in the dialog's field.
///
/// # Errors
/// A date that is neither the current one nor in the future; a key that is revoked or not there.
pub async fn rotate(
    request: &RequestContext,
    tenant: Option<&str>,
    id: &str,
    expires_on: &str,
    form_id: Option<Uuid>,
) -> Result<Idempotent<Issued>, AppError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let keys = request.store.keys(&scope);
    let id = key_id(id)?;
    let current = keys.get(id, request.now).await?.expires_on;
    let expiry = rotated_expiry(expires_on, current, today(request.now))
        .map_err(|error| AppError::invalid(vec![error]))?;
    let outcome = match form_id {
        None => Idempotent::Done(keys.rotate(id, expiry, request.now).await?),
        Some(form_id) => {
            let content = format!("rotate\0{id}\0{expires_on}");
            let idempotency =
                IdempotencyKey::form(user.user.id, form_id, content.as_bytes(), request.now)?;
            keys.rotate_once(id, expiry, &idempotency, request.now)
                .await?
        }
    };
    Ok(outcome.map(|rotated| {
        let RotatedKey {
            key,
            secret,
            receipt,
        } = rotated;
        Issued {
            key,
            secret,
            origin: request.origin.clone(),
            receipt,
        }
    }))
}

/// Revokes a key for ever, and returns what the replicas said of it; with a `form_id`, once.
///
/// # Errors
/// A key that is not there.
pub async fn revoke(
    request: &RequestContext,
    tenant: Option<&str>,
    id: &str,
    form_id: Option<Uuid>,
) -> Result<Option<Propagation>, AppError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let keys = request.store.keys(&scope);
    let id = key_id(id)?;
    let revoked = match form_id {
        None => Idempotent::Done(keys.revoke(id, request.now).await?),
        Some(form_id) => {
            let content = format!("revoke\0{id}");
            let idempotency =
                IdempotencyKey::form(user.user.id, form_id, content.as_bytes(), request.now)?;
            keys.revoke_once(id, &idempotency, request.now).await?
        }
    };
    Ok(match revoked {
        Idempotent::Done(revoked) => revoked.receipt,
        Idempotent::Repeated { .. } => None,
    })
}

/// Returns the outcome of the first request. `done` names the earlier change in the error of a repeat, e.g. `rotated`.
///
/// # Errors
/// [`ErrorCode::AlreadyDone`]: the form was sent before, and its secret is not told again.
pub fn done<T>(outcome: Idempotent<T>, done: &str) -> Result<T, AppError> {
    match outcome {
        Idempotent::Done(done) => Ok(done),
        Idempotent::Repeated { key } => Err(AppError {
            message: format!(
                "This secret was already shown, or it was lost on its way to you. The key “{}” was {done} once, and not again. \
                 To get a new secret, rotate it from the list.",
                key.name
            ),
            ..AppError::new(ErrorCode::AlreadyDone)
        }),
    }
}

/// The content that a repeat of a form must share: its operation and every field.
fn content(action: &str, form: &KeyForm) -> String {
    [
        action,
        &form.name,
        &form.description,
        &form.authorization_group_id,
        &form.expires_on,
        &form.ip_allowlist,
    ]
    .join("\0")
}

fn key_id(text: &str) -> Result<domain::id::KeyId, AppError> {
    text.parse().map_err(|_| AppError::new(ErrorCode::NotFound))
}
