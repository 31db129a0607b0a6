//! What stands before a handler: everything that its row of the route table asks for, in one place and in its order.

use std::{mem, sync::Arc};

use axum::{
    body::HttpBody as _,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::permission::Permission;
use http::StatusCode;

#[cfg(feature = "bench")]
use crate::bench;
use crate::{
    api_key_layer::admit_key,
    body_limit::{check_body, read_body},
    pages::{render::context_of, server_functions::admit_session},
    request_id,
    router::Caller,
    state::AppState,
    urlencoded,
};

/// The door of one route.
pub(crate) struct Door {
    pub(crate) state: AppState,
    /// The largest body, in bytes. `None` where there is no body: what headers say of a gateway's client's is no promise that it comes.
    pub(crate) limit: Option<usize>,
    pub(crate) asks: Asks,
    /// Whether the address may name a super user's tenant, as a page's does.
    pub(crate) names_tenant: bool,
}

/// What it asks of whoever comes.
pub(crate) enum Asks {
    /// Nothing: the handler itself judges.
    Nothing,
    /// A good key, of a group with this permission.
    Key(Option<Permission>),
    /// The session of somebody whom the route admits.
    Session(Caller),
    /// What a benchmark compares the check of a key with.
    #[cfg(feature = "bench")]
    Bench(bench::Guard),
}

/// Two readers of such an address may take different ones.
fn names_two_tenants(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    urlencoded::is_given_twice(query, "tenant")
}

/// Lets a request through to its handler, or answers it.
///
/// What only some requests need is in a box: each of them would move the room for it along.
pub(crate) async fn pass(
    State(door): State<Arc<Door>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(path) = request.extensions().get::<MatchedPath>() {
        request_id::note_route(path);
    }
    if door.names_tenant && names_two_tenants(&request) {
        return (
            StatusCode::BAD_REQUEST,
            "The address names a tenant twice. Keep one ?tenant=….\n",
        )
            .into_response();
    }
    if let Some(limit) = door.limit {
        if let Err(refusal) = check_body(limit, request.headers()) {
            return refusal.into_response();
        }
        if !request.body().is_end_stream() {
            let body = mem::take(request.body_mut());
            match Box::pin(read_body(limit, body)).await {
                Ok(body) => *request.body_mut() = body,
                Err(refusal) => return refusal.into_response(),
            }
        }
    }
    let admitted = match &door.asks {
        Asks::Nothing => Ok(()),
        Asks::Key(permission) => admit_key(&door.state, permission.as_ref(), &mut request)
            .await
            .map_err(|error| error.into_response()),
        Asks::Session(caller) => {
            let context = context_of(&door.state, &request);
            Box::pin(admit_session(&context, *caller)).await
        }
        #[cfg(feature = "bench")]
        Asks::Bench(guard) => guard
            .admit(&door.state, &mut request)
            .await
            .map_err(|error| error.into_response()),
    };
    match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, F: Future>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// It is moved into a box for each request, whole: with what pages and the database need in it that cost more than the check.
    #[test]
    fn what_every_request_moves_along_is_small() {
        let size = size_of_future(pass);
        assert!(size <= 1_536, "{size} bytes");
    }
}
