//! What stands before a handler: everything that its row of the route table asks for, in one place and in its order.

use std::sync::Arc;

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
    body_limit::{check_body, receive_body},
    pages::{render::context_of, server_functions::admit_session},
    request_id,
    router::Caller,
    state::AppState,
    urlencoded,
};

/// The door of one route.
pub(crate) struct Door {
    pub(crate) state: AppState,
    /// The body.
    pub(crate) body: Takes,
    pub(crate) asks: Asks,
    /// Whether the address may name a super user's tenant, as a page's does.
    pub(crate) names_tenant: bool,
}

/// Which body it takes.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// None: what headers say of a gateway's client's is no promise that it comes.
    Nothing,
    /// One of so many bytes, which is read once the credential is good.
    Body(usize),
    /// One of so many bytes, which the handler reads once it has judged the session itself.
    BodyAfterSession(usize),
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
    if let Err(refusal) = admitted {
        return refusal;
    }
    // Only now: whoever has no business here is not waited for.
    if let Takes::Body(limit) | Takes::BodyAfterSession(limit) = door.body
        && let Err(refusal) = check_body(limit, request.headers())
    {
        return refusal.into_response();
    }
    if let Takes::Body(limit) = door.body
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

    /// It is moved into a box for each request, whole: with what pages and the database need in it that cost more than the check.
    #[test]
    fn what_every_request_moves_along_is_small() {
        let size = size_of_future(pass);
        assert!(size <= 1_536, "{size} bytes");
    }
}
