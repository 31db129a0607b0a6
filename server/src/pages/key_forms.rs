//! The key forms as a browser submits them without a script or before WebAssembly has loaded. Each form has the effect of the server
//! function of the same name; the response is a page.

use app::{
    api_keys::{
        actions::{self, FormError},
        dialog_target::IDS,
        list_query::ListQuery,
        rejected_form::RejectedForm,
        responses::{Conflict, Edited, Issued},
        secret_page::{already_shown_page, secret_page},
    },
    error::{AppError, ErrorCode},
    ssr::{self, CONTENT_SECURITY_POLICY_WITHOUT_SCRIPTS, RequestContext, status_of},
    urls::{self, TenantQuery},
};
use axum::{
    extract::{Path, Query, Request, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use domain::key::{ApiKey, form::KeyForm};
use http::{HeaderValue, StatusCode, header, request::Parts};
use leptos::prelude::provide_context;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, de::DeserializeOwned};
use url::form_urlencoded;
use uuid::Uuid;

use super::{
    form::read_form,
    render::{as_page, context_of, render},
};
use crate::{security_headers::NO_TRANSFORM, state::AppState};

/// A line break in a submitted form; the API uses `\n`.
pub(super) const LINE_BREAK: &str = "\r\n";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerateForm {
    form_id: Uuid,
    name: String,
    description: String,
    authorization_group_id: String,
    expires_on: String,
    ip_allowlist: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditForm {
    version: i64,
    name: String,
    description: String,
    authorization_group_id: String,
    ip_allowlist: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateForm {
    form_id: Uuid,
    expires_on: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeForm {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeManyForm {
    form_id: Uuid,
    reason: String,
}

/// The query of a key page's URL.
#[derive(Deserialize)]
struct Address {
    tenant: Option<String>,
}

/// `POST /tenant-api-keys/new`
pub(crate) async fn generate(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<GenerateForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = KeyForm {
        name: fields.name,
        description: fields.description.replace(LINE_BREAK, "\n"),
        authorization_group_id: fields.authorization_group_id,
        expires_on: fields.expires_on,
        ip_allowlist: fields.ip_allowlist.replace(LINE_BREAK, "\n"),
    };
    let outcome = actions::generate(
        &submitted.context,
        submitted.tenant(),
        &form,
        Some(fields.form_id),
    )
    .await;
    match outcome {
        Ok(issued) => submitted.show_secret(issued, "API key generated"),
        Err(FormError::AlreadyShown(key)) => submitted.show_repeat(&key),
        Err(FormError::Failed(error)) => submitted.refuse(form, error, None).await,
    }
}

/// `POST /tenant-api-keys/{id}/edit`
pub(crate) async fn edit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<EditForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form = KeyForm {
        name: fields.name,
        description: fields.description.replace(LINE_BREAK, "\n"),
        authorization_group_id: fields.authorization_group_id,
        expires_on: String::new(),
        ip_allowlist: fields.ip_allowlist.replace(LINE_BREAK, "\n"),
    };
    match actions::edit(
        &submitted.context,
        submitted.tenant(),
        &id,
        fields.version,
        &form,
        None,
    )
    .await
    {
        Ok(Edited::Saved(_)) => submitted.back_to_list(),
        Ok(Edited::Conflict(theirs)) => {
            let error = AppError::new(ErrorCode::Conflict);
            submitted.refuse(form, error, Some(*theirs)).await
        }
        Err(error) => submitted.refuse(form, error, None).await,
    }
}

/// `POST /tenant-api-keys/{id}/rotate`
pub(crate) async fn rotate(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<RotateForm>(&state, request).await {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let form_id = Some(fields.form_id);
    let outcome = actions::rotate(
        &submitted.context,
        submitted.tenant(),
        &id,
        &fields.expires_on,
        form_id,
    )
    .await;
    match outcome {
        Ok(issued) => submitted.show_secret(issued, "API key rotated"),
        Err(FormError::AlreadyShown(key)) => submitted.show_repeat(&key),
        Err(FormError::Failed(error)) => {
            let form = KeyForm {
                expires_on: fields.expires_on,
                ..KeyForm::default()
            };
            submitted.refuse(form, error, None).await
        }
    }
}

/// `POST /tenant-api-keys/{id}/revoke`
pub(crate) async fn revoke(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (submitted, RevokeForm { reason }) =
        match SubmittedForm::receive::<RevokeForm>(&state, request).await {
            Ok(submitted) => submitted,
            Err(response) => return response,
        };
    match actions::revoke(&submitted.context, submitted.tenant(), &id, &reason, None).await {
        Ok(_) => submitted.back_to_list(),
        Err(error) => submitted.refuse_reason(reason, error).await,
    }
}

/// `POST /tenant-api-keys/revoke?ids=…`
pub(crate) async fn revoke_many(State(state): State<AppState>, request: Request) -> Response {
    let (submitted, fields) = match SubmittedForm::receive::<RevokeManyForm>(&state, request).await
    {
        Ok(submitted) => submitted,
        Err(response) => return response,
    };
    let RevokeManyForm { form_id, reason } = fields;
    let (context, tenant) = (&submitted.context, submitted.tenant());
    let ids = submitted.ids();
    match actions::revoke_many(context, tenant, &ids, &reason, Some(form_id)).await {
        Ok(_) => submitted.back_to_list(),
        Err(error) => submitted.refuse_reason(reason, error).await,
    }
}

/// A submitted form.
pub(super) struct SubmittedForm {
    pub(super) state: AppState,
    pub(super) context: RequestContext,
    /// The tenant in the URL, for super users.
    pub(super) tenant: TenantQuery,
    pub(super) parts: Parts,
}

impl SubmittedForm {
    /// Checks the session, then receives the form `T`. Missing and additional fields are refused.
    pub(super) async fn receive<T: DeserializeOwned>(
        state: &AppState,
        request: Request,
    ) -> Result<(Self, T), Response> {
        let context = context_of(state, &request);
        // The role is checked before the form is parsed.
        match ssr::signed_in(&context).await {
            Ok(user) if user.user.role.manages_keys() => {}
            // The page renders the refusal.
            Ok(_) => {
                let (parts, _) = request.into_parts();
                let uri = parts.uri.clone();
                return Err(render(state, as_page(parts, uri), || ()).await);
            }
            Err(error) if error.code == ErrorCode::NotSignedIn => {
                let address = request.uri().path_and_query();
                let address = address.map_or(urls::API_KEYS, |address| address.as_str());
                return Err(Redirect::to(&urls::sign_in(address)).into_response());
            }
            Err(error) => return Err(status_of(error.code).into_response()),
        }
        let Ok(Query(address)) = Query::<Address>::try_from_uri(request.uri()) else {
            return Err((StatusCode::BAD_REQUEST, "The address is not complete.\n").into_response());
        };
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts.clone(), body);
        let fields = read_form::<T>(request).await?;
        let submitted = Self {
            state: state.clone(),
            context,
            tenant: TenantQuery(address.tenant),
            parts,
        };
        Ok((submitted, fields))
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.0.as_deref()
    }

    /// The ids of the selected keys in the URL.
    fn ids(&self) -> Vec<String> {
        let query = self.parts.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == IDS)
            .map(|(_, value)| value.into_owned())
            .collect()
    }

    /// Redirects after success, so that a reload repeats nothing.
    fn back_to_list(&self) -> Response {
        Redirect::to(&self.list()).into_response()
    }

    /// The URL of the list with its filters and sort.
    fn list(&self) -> String {
        let mut parameters = ParamsMap::new();
        let query = self.parts.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.insert(name.into_owned(), value.into_owned());
        }
        ListQuery::parse(&parameters).url(&self.tenant, urls::API_KEYS)
    }

    /// The page with the new secret.
    fn show_secret(&self, issued: Issued, title: &'static str) -> Response {
        let page = secret_page(&self.state.bundle, self.list(), issued, title);
        without_scripts(StatusCode::OK, page)
    }

    /// The response to a repeat, without the secret, which only the first response contains.
    fn show_repeat(&self, key: &ApiKey) -> Response {
        let page = already_shown_page(&self.state.bundle, self.list(), key);
        without_scripts(StatusCode::CONFLICT, page)
    }

    /// The form again with the submitted values and the errors.
    async fn refuse(self, form: KeyForm, error: AppError, conflict: Option<Conflict>) -> Response {
        self.render_rejected(RejectedForm {
            form,
            reason: String::new(),
            error,
            conflict,
        })
        .await
    }

    /// The form of a revocation again with the submitted reason and the error.
    async fn refuse_reason(self, reason: String, error: AppError) -> Response {
        self.render_rejected(RejectedForm {
            form: KeyForm::default(),
            reason,
            error,
            conflict: None,
        })
        .await
    }

    async fn render_rejected(self, rejected: RejectedForm) -> Response {
        let address = self
            .parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str());
        if rejected.error.code == ErrorCode::NotSignedIn {
            return Redirect::to(&urls::sign_in(address)).into_response();
        }
        let error = rejected.error.with_request_id(&self.context.request_id);
        let status = status_of(error.code);
        let rejected = RejectedForm { error, ..rejected };
        let uri = self.parts.uri.clone();
        let page = as_page(self.parts, uri);
        let mut response =
            render(&self.state, page, move || provide_context(rejected.clone())).await;
        // The page may have set a more specific status, such as 404 for an unknown key.
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
        }
        response
    }
}

/// A page that runs no script and that no proxy may change.
fn without_scripts(status: StatusCode, page: String) -> Response {
    let mut response = (status, Html(page)).into_response();
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY_WITHOUT_SCRIPTS);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, NO_TRANSFORM);
    response
}
