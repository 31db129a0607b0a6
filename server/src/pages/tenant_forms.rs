//! The forms of tenants: plain forms, which work without a script.
//!
//! They carry no idempotency key: a repeated creation is refused because the slug is taken, a repeated edit because its version is old, and a
//! repeated suspension changes nothing.

use app::{
    done::Done,
    error::AppError,
    tenants::{SubmittedTenant, TenantForm, actions},
    urls,
};
use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use serde::Deserialize;

use super::submitted_form::SubmittedForm;
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewForm {
    name: String,
    slug: String,
    key_limit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditForm {
    version: i64,
    name: String,
    key_limit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmedForm {}

/// `POST /tenants/new`
pub(crate) async fn create(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<NewForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = TenantForm {
        name: fields.name,
        slug: fields.slug,
        key_limit: fields.key_limit,
    };
    match actions::create(&submitted.context, &form).await {
        Ok(id) => submitted.back_to_tenants(Done::TenantCreated(id)),
        Err(error) => submitted.show_tenant_form(form, error, None).await,
    }
}

/// `POST /tenants/{slug}/edit`
pub(crate) async fn edit(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<EditForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = TenantForm {
        name: fields.name,
        slug: String::new(),
        key_limit: fields.key_limit,
    };
    match actions::edit(&submitted.context, &slug, fields.version, &form).await {
        Ok(id) => submitted.back_to_tenants(Done::TenantSaved(id)),
        Err(error) => {
            let version = Some(fields.version);
            submitted.show_tenant_form(form, error, version).await
        }
    }
}

/// `POST /tenants/{slug}/suspend`
pub(crate) async fn suspend(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    request: Request,
) -> Response {
    let submitted = match SubmittedForm::receive::<ConfirmedForm>(&state, request).await {
        Ok((submitted, _)) => submitted,
        Err(response) => return response,
    };
    match actions::suspend(&submitted.context, &slug).await {
        Ok((id, propagation)) => submitted.back_to_tenants(Done::TenantSuspended(id, propagation)),
        Err(error) => {
            submitted
                .show_tenant_form(TenantForm::default(), error, None)
                .await
        }
    }
}

/// `POST /tenants/{slug}/resume`
pub(crate) async fn resume(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    request: Request,
) -> Response {
    let submitted = match SubmittedForm::receive::<ConfirmedForm>(&state, request).await {
        Ok((submitted, _)) => submitted,
        Err(response) => return response,
    };
    match actions::resume(&submitted.context, &slug).await {
        Ok((id, propagation)) => submitted.back_to_tenants(Done::TenantResumed(id, propagation)),
        Err(error) => {
            submitted
                .show_tenant_form(TenantForm::default(), error, None)
                .await
        }
    }
}

impl SubmittedForm {
    fn back_to_tenants(&self, done: Done) -> Response {
        self.redirect(urls::TENANTS, done)
    }

    /// Renders the page of the form with the submitted values, which change `version` of the tenant.
    async fn show_tenant_form(
        self,
        form: TenantForm,
        error: AppError,
        version: Option<i64>,
    ) -> Response {
        let submitted = |error| SubmittedTenant {
            form,
            error,
            version,
        };
        self.render_with(Some(error), submitted).await
    }
}
