//! `/invitation/{token}` and `/sign-in-link/{token}`: the pages of one-time links.
//!
//! GET never uses a link up, so that a browser's prefetch and a mail scanner cannot. The request log has the pattern of the path without the
//! token, and no page sends a referrer.

use app::{
    error::AppError,
    one_time_link::{RefusedForm, accepted_page, ended_page, failed_page, open_link_page},
    ssr::{self, RequestContext},
    urls,
};
use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse as _, Redirect, Response},
};
use domain::{
    Error,
    store::{
        invitations::{Acceptance, AcceptedForm, LinkState},
        one_time_links::{LinkEnd, LinkPurpose, LinkToken},
        sign_in_link::{LinkBrowser, LinkSignIn},
    },
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{form::read_form, plain_page::without_scripts, render::context_of};
use crate::{
    client,
    cookies::{Cookie, Cookies},
    state::AppState,
};

/// The form. No `Debug`: it contains the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkForm {
    /// Missing on a link that sets a new password.
    #[serde(default)]
    name: String,
    password: String,
}

/// A sign-in has no field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

/// `GET /invitation/{token}`
pub(crate) async fn show_invitation(
    State(state): State<AppState>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let context = context_of(&state, &request);
    show(&context, &token, false, RefusedForm::default()).await
}

/// `GET /sign-in-link/{token}`
pub(crate) async fn show_sign_in_link(
    State(state): State<AppState>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let context = context_of(&state, &request);
    show(&context, &token, true, RefusedForm::default()).await
}

/// `POST /invitation/{token}`
pub(crate) async fn accept(
    State(state): State<AppState>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let context = context_of(&state, &request);
    let Some(parsed) = LinkToken::parse(&token) else {
        return ended(&context, None);
    };
    let form = match read_form::<LinkForm>(request).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    let accepted = AcceptedForm {
        name: &form.name,
        password: &form.password,
    };
    let links = context.store.invitations();
    let accepted = links.accept(&parsed, accepted, context.client, context.now);
    match accepted.await {
        Ok(Acceptance::Accepted { purpose, .. }) => {
            let page = accepted_page(&context, purpose == LinkPurpose::Invitation);
            without_referrer(without_scripts(StatusCode::OK, page))
        }
        Ok(Acceptance::Ended(end)) => ended(&context, Some(end)),
        Ok(Acceptance::Unknown) => ended(&context, None),
        Err(Error::Invalid(fields)) => {
            let refused = RefusedForm {
                name: form.name,
                fields,
                failure: None,
            };
            let mut response = show(&context, &token, false, refused).await;
            if response.status() == StatusCode::OK {
                *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            }
            response
        }
        Err(error) => failed(&context, error),
    }
}

/// `POST /sign-in-link/{token}`
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let context = context_of(&state, &request);
    let Some(token) = LinkToken::parse(&token) else {
        return ended(&context, None);
    };
    let cookies = Cookies::new(&state.config);
    let device = cookies.token(Cookie::Device, request.headers());
    let browser = client::browser_of(request.headers());
    if let Err(refusal) = read_form::<NoFields>(request).await {
        return refusal;
    }
    let browser = LinkBrowser {
        client: context.client,
        browser,
        device: device.as_ref(),
        previous: context.session.as_ref(),
    };
    let links = context.store.invitations();
    match links.sign_in(&token, browser, context.now).await {
        Ok(LinkSignIn::SignedIn {
            user,
            session,
            device,
        }) => {
            let target = urls::after_sign_in(None, user.role);
            let mut response = Redirect::to(target).into_response();
            let set = [
                cookies.set(Cookie::Session, &session),
                cookies.set(Cookie::Device, &device),
            ];
            for cookie in set.into_iter().flatten() {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            without_referrer(response)
        }
        Ok(LinkSignIn::Ended(end)) => ended(&context, Some(end)),
        Ok(LinkSignIn::Unknown) => ended(&context, None),
        Err(error) => failed(&context, error),
    }
}

/// The form of an open link, or the reason for which the link does not work.
async fn show(
    context: &RequestContext,
    token: &str,
    signs_in: bool,
    refused: RefusedForm,
) -> Response {
    let Some(parsed) = LinkToken::parse(token) else {
        return ended(context, None);
    };
    let links = context.store.invitations();
    match links.open(&parsed, context.client, context.now).await {
        Ok(LinkState::Open(link)) if (link.purpose == LinkPurpose::SignIn) == signs_in => {
            let action = urls::one_time_link("", signs_in, token);
            let page = open_link_page(context, &link, action, refused);
            without_referrer(without_scripts(StatusCode::OK, page))
        }
        Ok(LinkState::Open(_) | LinkState::Unknown) => ended(context, None),
        Ok(LinkState::Ended(end)) => ended(context, Some(end)),
        Err(error) => failed(context, error),
    }
}

fn ended(context: &RequestContext, end: Option<LinkEnd>) -> Response {
    let status = match end {
        Some(_) => StatusCode::GONE,
        None => StatusCode::NOT_FOUND,
    };
    without_referrer(without_scripts(status, ended_page(context, end)))
}

fn failed(context: &RequestContext, error: Error) -> Response {
    let error = AppError::from(error).with_request_id(&context.request_id);
    let page = failed_page(context, error.message);
    let mut response = without_scripts(ssr::status_of(error.code), page);
    if let Some(seconds) = ssr::retry_after_of(error.code) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    without_referrer(response)
}

/// The URL contains the token, so the browser sends it to no one.
fn without_referrer(mut response: Response) -> Response {
    let policy = HeaderValue::from_static("no-referrer");
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, policy);
    response
}
