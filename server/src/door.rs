//! What stands before a handler: everything that its row of the route table asks for, in one place and in its order.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::permission::Permission;

#[cfg(feature = "bench")]
use crate::bench;
use crate::{
    api_key_layer::admit_key,
    body_limit::read_body,
    pages::{render::context_of, server_functions::admit_session},
    request_id,
    router::Caller,
    state::AppState,
};

/// The door of one route.
pub(crate) struct Door {
    pub(crate) state: AppState,
    /// The largest body, in bytes. `None` where there is no body: what headers say of a gateway's client's is no promise that it comes.
    pub(crate) limit: Option<usize>,
    pub(crate) asks: Asks,
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

/// Lets a request through to its handler, or answers it.
pub(crate) async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if let Some(path) = request.extensions().get::<MatchedPath>() {
        request_id::note_route(path);
    }
    let mut request = match door.limit {
        Some(limit) => match read_body(limit, request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        },
        None => request,
    };
    let admitted = match &door.asks {
        Asks::Nothing => Ok(()),
        Asks::Key(permission) => admit_key(&door.state, permission.as_ref(), &mut request)
            .await
            .map_err(|error| error.into_response()),
        Asks::Session(caller) => {
            let context = context_of(&door.state, &request);
            admit_session(&context, *caller).await
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
