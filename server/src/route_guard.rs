//! Checks a request before its handler: route label, tenant parameter, credential, body, in this order.

use std::sync::Arc;

use app::page::Access;
use axum::{
    body::HttpBody as _,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::{
    permission::Permission,
    verify::{Owner, Purpose, Question},
};
use http::StatusCode;

#[cfg(feature = "bench")]
use crate::bench::guard::BenchGuard;
use crate::{
    api_key_layer::admit_key,
    body_limit::{check_body, receive_body},
    pages::{render::context_of, server_functions::admit_session},
    request_id,
    state::AppState,
    urlencoded,
};

/// The checks of one route, derived from its row of the route table.
pub(crate) struct RouteGuard {
    pub(crate) state: AppState,
    pub(crate) body: BodyPolicy,
    pub(crate) requirement: Requirement,
    /// Whether the query may contain `tenant`, as the query of a page may.
    pub(crate) takes_tenant: bool,
}

/// The treatment of the request body. Limits are in bytes.
#[derive(Clone, Copy)]
pub(crate) enum BodyPolicy {
    /// Not read: gateways forward the headers of a body that they do not send.
    Ignored,
    /// Read into memory after the credential was accepted and before the handler runs.
    ReadFirst(usize),
    /// Checked by its headers here; the handler reads it after it has checked the session.
    ReadByHandler(usize),
}

/// The credential that a request needs before its handler runs.
pub(crate) enum Requirement {
    /// None: the route is public, or its handler checks the credential.
    None,
    /// A valid API key whose group has this permission; any valid key for `None`.
    Key(Option<Permission>),
    /// A key that may end itself.
    OwnKey,
    /// A session of a user with this access.
    Session(Access),
    /// A benchmark's replacement for the check of a key.
    #[cfg(feature = "bench")]
    Bench(BenchGuard),
}

impl Requirement {
    /// What the verifier decides on.
    const fn question(&self) -> Question<'_> {
        let (permission, purpose) = match self {
            Self::Key(permission) => (permission.as_ref(), Purpose::Access),
            Self::OwnKey => (None, Purpose::OwnRevocation),
            _ => (None, Purpose::Access),
        };
        Question {
            permission,
            owner: Owner::Any,
            purpose,
        }
    }
}

/// Whether the query contains `tenant` twice. Parsers disagree on which of two values counts.
fn has_two_tenants(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    urlencoded::is_given_twice(query, "tenant")
}

/// Runs the handler if the request meets the route's requirement, else returns the refusal.
///
/// This future is boxed per request, so its rarely taken large branches are boxed separately.
pub(crate) async fn guard_request(
    State(guard): State<Arc<RouteGuard>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(path) = request.extensions().get::<MatchedPath>() {
        request_id::set_route(path);
    }
    if guard.takes_tenant && has_two_tenants(&request) {
        return (
            StatusCode::BAD_REQUEST,
            "The address names a tenant twice. Keep one ?tenant=….\n",
        )
            .into_response();
    }
    let admitted = match &guard.requirement {
        Requirement::None => Ok(()),
        Requirement::Key(_) | Requirement::OwnKey => {
            let question = guard.requirement.question();
            admit_key(&guard.state, question, &mut request)
                .await
                .map_err(|error| error.into_response())
        }
        Requirement::Session(access) => {
            let context = context_of(&guard.state, &request);
            Box::pin(admit_session(&context, *access)).await
        }
        #[cfg(feature = "bench")]
        Requirement::Bench(bench) => bench
            .admit(&guard.state, &mut request)
            .await
            .map_err(|error| error.into_response()),
    };
    if let Err(refusal) = admitted {
        return refusal;
    }
    // After the credential: a refused client must not be able to keep a connection open by sending slowly.
    if let BodyPolicy::ReadFirst(limit) | BodyPolicy::ReadByHandler(limit) = guard.body
        && let Err(refusal) = check_body(limit, request.headers())
    {
        return refusal.into_response();
    }
    if let BodyPolicy::ReadFirst(limit) = guard.body
        && !request.body().is_end_stream()
        && let Err(refusal) = Box::pin(receive_body(limit, &mut request)).await
    {
        return refusal;
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, F: Future>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// axum boxes this future per request. Inlined branches for pages and the database would cost more than the key check.
    #[test]
    fn the_future_of_a_guarded_request_is_small() {
        let size = size_of_future(guard_request);
        assert!(size <= 1_536, "{size} bytes");
    }
}
