//! The command line of `latchkey-bench`.

use std::{env, fs, io::Write as _, path::Path, process::ExitCode};

use axum::{Json, Router, extract::State, routing};
use domain::{
    key::ApiKey,
    store::{ConsoleExtent, ConsoleSample},
};
use tokio::net::TcpListener;

use crate::{cli, clock, config::Config, database::open_store, failure::Failure};

/// Runs `latchkey-bench`: `hello`, `seed TENANTS KEYS FILE`, `archive KEYS`, `fill-console TENANTS KEYS EVENTS USED_KEYS`, or a command of
/// `latchkey`.
pub async fn run() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["hello"] => hello().await,
        ["fill-console", tenants, keys, events, used_keys] => {
            fill_console([tenants, keys, events, used_keys]).await
        }
        ["seed", tenants, keys, file] => seed(tenants, keys, Path::new(file)).await,
        ["archive", keys] => archive(keys).await,
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

/// Serves the first example of axum's documentation with `axum::serve` and without layers, and a route that returns a key with the headers
/// of whoami. It listens on the address of `latchkey`.
async fn hello() -> Result<(), Failure> {
    let failed = |error| Failure::new(format!("cannot serve: {error}"));
    let listener = TcpListener::bind(config()?.listen).await.map_err(failed)?;
    let shown: ApiKey = serde_json::from_str(EXAMPLE_KEY)
        .map_err(|error| Failure::new(format!("no key: {error}")))?;
    let router = Router::new()
        .route("/", routing::get(|| async { "Hello, World!" }))
        .route(
            "/answer",
            routing::get(|State(shown): State<ApiKey>| async { (EXAMPLE_HEADERS, Json(shown)) }),
        )
        .with_state(shown);
    axum::serve(listener, router).await.map_err(failed)
}

/// The headers of a whoami response, without its length, type and date.
const EXAMPLE_HEADERS: [(&str, &str); 6] = [
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

/// A key as long as that of whoami with its tenant.
const EXAMPLE_KEY: &str = r#"{
    "id": "01a215a3-0f48-7341-8fbd-a55bf76e3943", "name": "Warehouse 0 nightly sync",
    "description": "Asked for by the people of the warehouse, who copy what was ordered every night, and whom one can ask",
    "hint": "lk_…TWYc", "status": "active", "expiration": "valid", "expires_on": "2027-12-31",
    "authorization_group": { "id": "01a215a2-6015-741f-95f8-0901eb489765", "name": "Orders" },
    "ip_allowlist": ["10.0.0.0/8", "192.0.2.0/24"], "created_at": "2026-11-26T02:15:37.543965Z",
    "created_by": { "type": "cli", "id": null, "name": "latchkey" },
    "updated_at": "2026-11-26T02:15:37.543965Z", "rotated_at": null, "revoked_at": null, "revoked_by": null, "revoked_reason": null,
    "last_used_at": "2026-11-26T02:15:37.543965Z", "last_used_ip": "192.0.2.7"
}"#;

/// Fills the empty database with `keys` keys for each of `tenants` tenants and writes their secrets into a new file, one per line.
async fn seed(tenants: &str, keys: &str, secrets: &Path) -> Result<(), Failure> {
    let store = open_store(&config()?, true).await?;
    let made = store
        .fill(parse_number(tenants)?, parse_number(keys)?, clock::now())
        .await?;
    let lines: String = made
        .iter()
        .flat_map(|secret| [secret.expose(), "\n"])
        .collect();
    let failed = |error| Failure::new(format!("cannot write the secrets: {error}"));
    let mut file = fs::File::create_new(secrets).map_err(failed)?;
    file.write_all(lines.as_bytes()).map_err(failed)
}

/// Adds `keys` archived keys to the first tenant.
async fn archive(keys: &str) -> Result<(), Failure> {
    let store = open_store(&config()?, true).await?;
    Ok(store.fill_archive(parse_number(keys)?).await?)
}

/// Fills the empty database with the data of a large console and prints the identifiers of a key and an actor as JSON.
async fn fill_console(numbers: [&str; 4]) -> Result<(), Failure> {
    let mut parsed = [0; 4];
    for (text, number) in numbers.into_iter().zip(&mut parsed) {
        *number = parse_number(text)?;
    }
    let [tenants, keys, events, used_keys] = parsed;
    let extent = ConsoleExtent {
        tenants,
        keys,
        events,
        used_keys,
    };
    let store = open_store(&config()?, true).await?;
    let ConsoleSample { key, actor } = store.fill_console(extent, clock::now()).await?;
    let mut output = std::io::stdout();
    writeln!(output, r#"{{"key":"{key}","actor":"{actor}"}}"#)
        .map_err(|error| Failure::new(format!("cannot write: {error}")))
}

fn parse_number(text: &str) -> Result<u32, Failure> {
    text.parse()
        .map_err(|error| Failure::new(format!("'{text}': {error}")))
}

fn config() -> Result<Config, Failure> {
    Config::from_environment().map_err(|error| Failure::new(error.to_string()))
}
