//! The route guards of the two routes that only benchmarks call.

use axum::extract::Request;
use domain::{
    client_address::ClientAddress,
    verify::{Question, VerifiedKey},
};
use http::HeaderMap;
use tokio::sync::OnceCell;

use crate::{
    api::error::ApiError,
    api_key_layer::{admit_key, presented_key},
    client, clock,
    state::AppState,
};

/// `GET /api/v1/whoami` without the key check: the same layers, handler and body. It is below `/api/v1` because some layers apply only
/// there.
pub(crate) const TWIN: &str = "/api/v1/bench/twin";

/// `GET /api/v1/whoami` with the key check, which bypasses the cache.
pub(crate) const UNCACHED: &str = "/api/v1/bench/uncached";

/// The guard of one of the two routes above; it replaces the key check.
pub(crate) enum BenchGuard {
    /// Accepts every request with the key of the first request, which is checked. The key and the client address of later requests are not
    /// read.
    Twin(OnceCell<VerifiedKey>),
    /// Checks the key without the cache.
    Uncached,
}

impl BenchGuard {
    /// The guard of a route; `None` for every other path.
    pub(crate) fn for_path(path: &str) -> Option<Self> {
        match path {
            TWIN => Some(Self::Twin(OnceCell::new())),
            UNCACHED => Some(Self::Uncached),
            _ => None,
        }
    }

    pub(crate) async fn admit(
        &self,
        state: &AppState,
        request: &mut Request,
    ) -> Result<(), ApiError> {
        match self {
            Self::Twin(key) => {
                let known = match key.get() {
                    Some(known) => known,
                    None => {
                        let (headers, client) =
                            (request.headers(), client::address_of(request.extensions()));
                        Box::pin(first_key(key, state, headers, client)).await?
                    }
                };
                let known = known.clone();
                request.extensions_mut().insert(known);
                Ok(())
            }
            Self::Uncached => {
                if let Ok(presented) = presented_key(request.headers()) {
                    state.verifier.forget(presented);
                }
                admit_key(state, Question::default(), request).await
            }
        }
    }
}

/// The key of the first request, after it was checked.
async fn first_key<'a>(
    key: &'a OnceCell<VerifiedKey>,
    state: &AppState,
    headers: &HeaderMap,
    client: ClientAddress,
) -> Result<&'a VerifiedKey, ApiError> {
    let presented = presented_key(headers);
    key.get_or_try_init(|| async {
        let verdict = (state.verifier).answer(Question::default(), presented, client, clock::now());
        Ok(verdict.await??)
    })
    .await
}
