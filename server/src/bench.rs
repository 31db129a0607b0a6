//! What the benchmarks measure the check of `X-API-Key` against, and what they measure it with. Only with the feature `bench`.

use std::{env, fs, io::Write as _, path::Path, process::ExitCode, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{self, MethodRouter},
};
use domain::verify::{Question, VerifiedKey, Verifier};
use tokio::{net::TcpListener, sync::OnceCell};

use crate::{
    api::error::ApiError,
    api_key_layer::{KeyGuard, presented_key, require_api_key},
    cli::{self, Failure},
    client, clock,
    config::Config,
    state::AppState,
};

/// `GET /api/v1/whoami` without the check: the same layers, the same handler, the same body. It is below `/api/v1` because some layers
/// ask for that.
pub(crate) const TWIN: &str = "/api/v1/bench/twin";

/// `GET /api/v1/whoami` with the check, which takes nothing from memory.
pub(crate) const UNCACHED: &str = "/api/v1/bench/uncached";

/// Puts before a handler of the two routes above what it has instead of `require_api_key`; leaves any other as it is.
pub(crate) fn guarded(
    handler: MethodRouter<AppState>,
    path: &str,
    state: &AppState,
) -> MethodRouter<AppState> {
    match path {
        TWIN => {
            let prepared = Prepared {
                verifier: state.verifier.clone(),
                key: Arc::default(),
            };
            handler.route_layer(from_fn_with_state(prepared, insert_prepared_key))
        }
        UNCACHED => {
            let guard = KeyGuard {
                state: state.clone(),
                permission: None,
            };
            handler.route_layer(from_fn_with_state(guard, require_api_key_uncached))
        }
        _ => handler,
    }
}

/// The key that the twin answers with.
#[derive(Clone)]
struct Prepared {
    verifier: Verifier,
    key: Arc<OnceCell<VerifiedKey>>,
}

/// Lets every request through with one and the same key: that of the first request, which is checked. The key of a later one is not
/// even looked at, nor where it comes from.
async fn insert_prepared_key(
    State(prepared): State<Prepared>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (headers, client) = (request.headers(), client::of(request.extensions()));
    let key = prepared
        .key
        .get_or_try_init(|| async {
            let verdict = prepared
                .verifier
                .answer(
                    Question::default(),
                    presented_key(headers),
                    client,
                    clock::now(),
                )
                .await?;
            Ok::<_, ApiError>(verdict?)
        })
        .await?;
    request.extensions_mut().insert(key.clone());
    Ok(next.run(request).await)
}

/// [`require_api_key`] for a key that is not in memory.
async fn require_api_key_uncached(
    guard: State<KeyGuard>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Ok(presented) = presented_key(request.headers()) {
        guard.state.verifier.forget(presented);
    }
    require_api_key(guard, request, next).await
}

/// The command line of `latchkey-bench`: `hello`, `seed TENANTS KEYS FILE`, or one of `latchkey`.
pub async fn run() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["hello"] => hello().await,
        ["seed", tenants, keys, file] => seed(tenants, keys, Path::new(file)).await,
        _ => return cli::run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::FAILURE
        }
    }
}

/// Serves what axum's own documentation begins with: one route, no layer, `axum::serve`. It listens where `latchkey` would.
async fn hello() -> Result<(), Failure> {
    let failed = |error| Failure::new(format!("cannot serve: {error}"));
    let listener = TcpListener::bind(config()?.listen).await.map_err(failed)?;
    let router = Router::new().route("/", routing::get(|| async { "Hello, World!" }));
    axum::serve(listener, router).await.map_err(failed)
}

/// Fills the empty database with `keys` keys for each of so many tenants and writes their secrets into a new file, one a line.
async fn seed(tenants: &str, keys: &str, secrets: &Path) -> Result<(), Failure> {
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|error| Failure::new(format!("'{text}': {error}")))
    };
    let store = cli::open_store(&config()?, true).await?;
    let made = store
        .fill(number(tenants)?, number(keys)?, clock::now())
        .await?;
    let lines: String = made
        .iter()
        .flat_map(|secret| [secret.expose(), "\n"])
        .collect();
    let failed = |error| Failure::new(format!("cannot write the secrets: {error}"));
    let mut file = fs::File::create_new(secrets).map_err(failed)?;
    file.write_all(lines.as_bytes()).map_err(failed)
}

fn config() -> Result<Config, Failure> {
    Config::from_environment().map_err(|error| Failure::new(error.to_string()))
}
