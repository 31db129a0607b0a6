//! What the benchmarks measure the check of `X-API-Key` against, and what they measure it with. Only with the feature `bench`.

use std::{env, fs, io::Write as _, path::Path, process::ExitCode};

use axum::{
    Json, Router,
    extract::{Request, State},
    routing,
};
use domain::{
    client_address::ClientAddress,
    key::ApiKey,
    verify::{Question, VerifiedKey},
};
use http::HeaderMap;
use tokio::{net::TcpListener, sync::OnceCell};

use crate::{
    api::error::ApiError,
    api_key_layer::{admit_key, presented_key},
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

/// What stands before the handler of the two routes above, in place of the check of the key.
pub(crate) enum Guard {
    /// Every request passes with one and the same key: that of the first request, which is checked. The key of a later one is not even
    /// looked at, nor where it comes from.
    Twin(OnceCell<VerifiedKey>),
    /// The check of a key that is not in memory.
    Uncached,
}

impl Guard {
    /// That of a route; `None` for all but the two.
    pub(crate) fn of(path: &str) -> Option<Self> {
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
                            (request.headers(), client::of(request.extensions()));
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
                admit_key(state, None, request).await
            }
        }
    }
}

/// The key of the first request, checked.
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

/// Serves what axum's own documentation begins with: a route that says hello, no layer, `axum::serve`; and one that sends what whoami
/// sends, a key and the same headers. It listens where `latchkey` would.
async fn hello() -> Result<(), Failure> {
    let failed = |error| Failure::new(format!("cannot serve: {error}"));
    let listener = TcpListener::bind(config()?.listen).await.map_err(failed)?;
    let shown: ApiKey =
        serde_json::from_str(SHOWN).map_err(|error| Failure::new(format!("no key: {error}")))?;
    let router = Router::new()
        .route("/", routing::get(|| async { "Hello, World!" }))
        .route(
            "/answer",
            routing::get(|State(shown): State<ApiKey>| async { (HEADERS, Json(shown)) }),
        )
        .with_state(shown);
    axum::serve(listener, router).await.map_err(failed)
}

/// Those of an answer of whoami, beside its length, type and date.
const HEADERS: [(&str, &str); 6] = [
    ("x-request-id", "01a215a3-0f48-7341-8fbd-a55bf76e3943"),
    ("x-content-type-options", "nosniff"),
    (
        "content-security-policy",
        "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// A key, as long as that of whoami with its tenant.
const SHOWN: &str = r#"{
    "id": "01a215a3-0f48-7341-8fbd-a55bf76e3943", "name": "Warehouse 0 nightly sync",
    "description": "Asked for by the people of the warehouse, who copy what was ordered every night, and whom one can ask",
    "hint": "lk_…TWYc", "status": "active", "expiration": "valid", "expires_on": "2027-12-31",
    "authorization_group": { "id": "01a215a2-6015-741f-95f8-0901eb489765", "name": "Orders" },
    "ip_allowlist": ["10.0.0.0/8", "192.0.2.0/24"], "created_at": "2026-11-26T02:15:37.543965Z",
    "created_by": { "type": "cli", "id": null, "name": "latchkey" },
    "updated_at": "2026-11-26T02:15:37.543965Z", "rotated_at": null, "revoked_at": null,
    "last_used_at": "2026-11-26T02:15:37.543965Z", "last_used_ip": "192.0.2.7"
}"#;

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
