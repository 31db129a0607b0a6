//! The handling of the key pages' requests on the server, both for calls of server functions and for forms sent without a script. Each
//! function authorizes, parses, calls the store and returns a response.

use chrono::{DateTime, Utc};
use domain::{
    Error,
    id::KeyId,
    key::{
        ApiKey, IssuedKey, RotatedExpiry, form::KeyForm, preview::AllowlistCheck,
        reason::RevocationReason, today,
    },
    propagation::{Propagation, Written},
    store::{
        idempotency::IdempotencyKey,
        keys::{Keys, MAX_REVOKED_AT_ONCE},
        sessions::SignedIn,
    },
};
use uuid::Uuid;

use super::responses::{Conflict, Edited, Issued, KeyDetail, KeyFormContext, SelectedKeys};
use crate::{
    error::{AppError, ErrorCode},
    ssr::{self, RequestContext, TenantRequest},
};

/// Returns one key, for a dialog.
///
/// # Errors
/// As [`ssr::tenant_request_of`]; not found, also if `id` is no identifier.
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
    let policy = request.store.security_policy(&scope);
    Ok(KeyDetail {
        rule: policy.lifetime_rule().await?,
        version: key.version,
        key,
        form_id: Uuid::now_v7(),
        now: request.now,
    })
}

/// Returns the data of a key's form.
///
/// # Errors
/// As [`ssr::tenant_request_of`].
pub async fn form_context(
    request: &RequestContext,
    tenant: Option<&str>,
) -> Result<KeyFormContext, AppError> {
    let TenantRequest { scope, .. } = ssr::tenant_request_of(request, tenant).await?;
    let policy = request.store.security_policy(&scope).get().await?;
    Ok(KeyFormContext {
        rule: policy.lifetime_rule(),
        default_lifetime: policy.default_lifetime_days,
        groups: request.store.groups(&scope).list_for_keys().await?,
        usage: request.store.keys(&scope).quota().await?,
        now: request.now,
        client: request.client,
        form_id: Uuid::now_v7(),
    })
}

/// The reason for which a form that shows a secret was not carried out.
#[derive(Debug)]
pub enum FormError {
    /// It was carried out before, and its secret was shown then. This is the key as it is now.
    AlreadyShown(Box<ApiKey>),
    /// Any other reason.
    Failed(AppError),
}

impl From<AppError> for FormError {
    fn from(error: AppError) -> Self {
        Self::Failed(error)
    }
}

impl FormError {
    async fn of(keys: &Keys<'_>, error: Error, now: DateTime<Utc>) -> Self {
        let error = match error {
            Error::Repeated { id } => match keys.get(id.into(), now).await {
                Ok(key) => return Self::AlreadyShown(Box::new(key)),
                Err(error) => error,
            },
            error => error,
        };
        Self::Failed(error.into())
    }

    /// The error of a dialog. `done` names the earlier change, e.g. `rotated`.
    #[must_use]
    pub fn into_app_error(self, done: &str) -> AppError {
        match self {
            Self::Failed(error) => error,
            Self::AlreadyShown(key) => AppError {
                message: format!(
                    "This secret was already shown, or it was lost on its way to you. The key “{}” was {done} once, and not again. \
                     To get a new secret, rotate it from the list.",
                    key.name
                ),
                ..AppError::new(ErrorCode::AlreadyDone)
            },
        }
    }
}

/// Creates a key; with a `form_id`, only once.
///
/// # Errors
/// Errors of the form's fields; the key limit.
pub async fn generate(
    request: &RequestContext,
    tenant: Option<&str>,
    form: &KeyForm,
    form_id: Option<Uuid>,
) -> Result<Issued, FormError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let policy = request.store.security_policy(&scope);
    let rule = policy.lifetime_rule().await.map_err(AppError::from)?;
    let new = form
        .validate(rule, today(request.now))
        .map_err(Error::Invalid);
    let idempotency = idempotency_key(request, &user, form_id, &new, || content("generate", form))?;
    let keys = request.store.keys(&scope).idempotent(idempotency.as_ref());
    let created = match keys.unless_repeated(new, request.now).await {
        Ok(new) => keys.create(new, request.now).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(IssuedKey { key, secret }) => Ok(Issued {
            key,
            secret,
            origin: request.origin.clone(),
            receipt: None,
        }),
        Err(error) => Err(FormError::of(&keys, error, request.now).await),
    }
}

/// Saves an edit if the key still has that version; with a `form_id`, only once.
///
/// # Errors
/// Errors of the form's fields; a key that is revoked or does not exist.
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
    let changes = form.validate_edit().map_err(Error::Invalid);
    let idempotency = idempotency_key(request, &user, form_id, &changes, || {
        format!("{}\0{id}\0{version}", content("edit", form))
    })?;
    let keys = request.store.keys(&scope).idempotent(idempotency.as_ref());
    let changes = match keys.unless_repeated(changes, request.now).await {
        Err(Error::Repeated { .. }) => return Ok(Edited::Saved(None)),
        changes => changes?,
    };
    match keys
        .update(id, changes.clone(), Some(version), request.now)
        .await
    {
        Ok(saved) => Ok(Edited::Saved(saved.propagation)),
        // The first request saved the edit. A change that was made since then stays.
        Err(Error::Repeated { .. }) => Ok(Edited::Saved(None)),
        Err(Error::Stale) => {
            let key = keys.get(id, request.now).await?;
            // Another request made the same change, so the key has the requested values.
            if changes.are_in(&key) {
                // That request may not have returned yet. An edit that changes nothing waits until the other change is in effect too.
                match keys
                    .update(id, changes, Some(key.version), request.now)
                    .await
                {
                    Err(Error::Stale) => {}
                    saved => return Ok(Edited::Saved(saved?.propagation)),
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

/// Returns which addresses of the last days an allowlist would refuse. `lines` is the text of the form's field.
///
/// # Errors
/// Invalid lines; a key that does not exist.
pub async fn preview_allowlist(
    request: &RequestContext,
    tenant: Option<&str>,
    id: &str,
    lines: String,
) -> Result<AllowlistCheck, AppError> {
    let TenantRequest { scope, .. } = ssr::tenant_request_of(request, tenant).await?;
    let id = key_id(id)?;
    let form = KeyForm {
        ip_allowlist: lines,
        ..KeyForm::default()
    };
    let allowlist = form.parse_allowlist().map_err(Error::Invalid)?;
    let keys = request.store.keys(&scope);
    let stored = keys.get(id, request.now).await?.ip_allowlist;
    if stored.covers(&allowlist) && allowlist.covers(&stored) {
        return Ok(AllowlistCheck::Unchanged);
    }
    let preview = keys.preview_allowlist(id, &allowlist, request.now).await?;
    Ok(AllowlistCheck::Changed(preview))
}

/// Rotates a key's secret; with a `form_id`, only once. `expires_on` is the text of the dialog's field.
///
/// # Errors
/// A date that is neither the current one nor in the future; a key that is revoked or does not exist.
pub async fn rotate(
    request: &RequestContext,
    tenant: Option<&str>,
    id: &str,
    expires_on: &str,
    form_id: Option<Uuid>,
) -> Result<Issued, FormError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let id = key_id(id)?;
    let expiry = RotatedExpiry::from_field(expires_on).map_err(|error| Error::Invalid(vec![error]));
    let idempotency = idempotency_key(request, &user, form_id, &expiry, || {
        format!("rotate\0{id}\0{expires_on}")
    })?;
    let keys = request.store.keys(&scope).idempotent(idempotency.as_ref());
    let rotated = match keys.unless_repeated(expiry, request.now).await {
        Ok(expiry) => keys.rotate(id, expiry, request.now).await,
        Err(error) => Err(error),
    };
    match rotated {
        Ok(Written {
            value: IssuedKey { key, secret },
            propagation,
        }) => Ok(Issued {
            key,
            secret,
            origin: request.origin.clone(),
            receipt: propagation,
        }),
        Err(error) => Err(FormError::of(&keys, error, request.now).await),
    }
}

/// Revokes a key and returns how far the change has propagated; with a `form_id`, only once.
///
/// # Errors
/// A reason that is too long; a key that does not exist.
pub async fn revoke(
    request: &RequestContext,
    tenant: Option<&str>,
    id: &str,
    reason: &str,
    form_id: Option<Uuid>,
) -> Result<Option<Propagation>, AppError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let id = key_id(id)?;
    let parsed = revocation_reason(reason);
    let idempotency = idempotency_key(request, &user, form_id, &parsed, || {
        format!("revoke\0{id}\0{reason}")
    })?;
    let keys = request.store.keys(&scope).idempotent(idempotency.as_ref());
    let reason = parsed?;
    match keys
        .revoke_with_reason(id, reason.as_ref(), request.now)
        .await
    {
        Ok(revoked) => Ok(revoked.propagation),
        Err(Error::Repeated { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the keys that a dialog revokes together.
///
/// # Errors
/// Not found if one of them does not belong to the tenant or an id is malformed; more than [`MAX_REVOKED_AT_ONCE`].
pub async fn selected_keys(
    request: &RequestContext,
    tenant: Option<&str>,
    ids: Vec<String>,
) -> Result<SelectedKeys, AppError> {
    let TenantRequest { scope, .. } = ssr::tenant_request_of(request, tenant).await?;
    let wanted = key_ids(&ids)?;
    let keys = request.store.keys(&scope);
    let keys = keys.get_many(&wanted, request.now).await?;
    if keys.len() != wanted.len() {
        return Err(AppError::new(ErrorCode::NotFound));
    }
    Ok(SelectedKeys {
        ids,
        keys,
        form_id: Uuid::now_v7(),
        now: request.now,
    })
}

/// Revokes keys, all or none, and returns how far the change has propagated; with a `form_id`, only once.
///
/// # Errors
/// A reason that is too long; those of [`selected_keys`].
pub async fn revoke_many(
    request: &RequestContext,
    tenant: Option<&str>,
    ids: &[String],
    reason: &str,
    form_id: Option<Uuid>,
) -> Result<Option<Propagation>, AppError> {
    let TenantRequest { scope, user } = ssr::tenant_request_of(request, tenant).await?;
    let ids = key_ids(ids)?;
    let parsed = revocation_reason(reason);
    let idempotency = idempotency_key(request, &user, form_id, &parsed, || {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        format!("revoke\0{}\0{reason}", ids.join("\0"))
    })?;
    let keys = request.store.keys(&scope).idempotent(idempotency.as_ref());
    let reason = parsed?;
    if keys.get_many(&ids, request.now).await?.len() != ids.len() {
        return Err(AppError::new(ErrorCode::NotFound));
    }
    match keys.revoke_many(&ids, reason.as_ref(), request.now).await {
        Ok(revoked) => Ok(revoked.propagation),
        Err(Error::Repeated { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Parses the ids of selected keys, each once.
fn key_ids(texts: &[String]) -> Result<Vec<KeyId>, AppError> {
    let mut ids = Vec::new();
    for text in texts {
        let id = key_id(text)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > MAX_REVOKED_AT_ONCE {
            return Err(AppError {
                message: format!("At most {MAX_REVOKED_AT_ONCE} keys can be revoked at once."),
                ..AppError::new(ErrorCode::Invalid)
            });
        }
    }
    Ok(ids)
}

/// Parses the field of a reason; an empty text is `None`.
fn revocation_reason(text: &str) -> Result<Option<RevocationReason>, Error> {
    RevocationReason::optional(text).map_err(|error| Error::invalid("reason", error.to_string()))
}

/// The idempotency key of a form, if it has an id. If the form is both invalid and too old, its broken rules come first.
fn idempotency_key<T>(
    request: &RequestContext,
    user: &SignedIn,
    form_id: Option<Uuid>,
    input: &Result<T, Error>,
    content: impl FnOnce() -> String,
) -> Result<Option<IdempotencyKey>, AppError> {
    let Some(form_id) = form_id else {
        return Ok(None);
    };
    match IdempotencyKey::form(user.user.id, form_id, content().as_bytes(), request.now) {
        Err(Error::FormTooOld) if input.is_err() => Ok(None),
        key => Ok(Some(key?)),
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

fn key_id(text: &str) -> Result<KeyId, AppError> {
    text.parse().map_err(|_| AppError::new(ErrorCode::NotFound))
}
