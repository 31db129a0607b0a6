//! Commands as scripts run them: output, errors and exit codes.

mod audit;
mod documents;
mod errors;
mod keys;
mod output;
mod settings;
mod single_sign_on;
mod users;
mod version;

use crate::support::binary::Latchkey;

/// A database with the tenant `acme` and its group `Orders`.
fn with_acme() -> Latchkey {
    let latchkey = Latchkey::new();
    latchkey.run_json(&[
        "tenant",
        "create",
        "--name",
        "Acme Logistics",
        "--slug",
        "acme",
    ]);
    latchkey.create_group("acme", "Orders", &["orders:read", "orders:write"]);
    latchkey
}

/// The date `days` from today (UTC) as `YYYY-MM-DD`.
fn days_from_today(days: i64) -> String {
    (server::clock::now().date_naive() + chrono::TimeDelta::days(days)).to_string()
}
