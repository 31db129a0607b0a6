//! The router on a SQLite file, or on PostgreSQL with `TEST_ENGINE=postgres`; one file for each URL and method. Names that begin with `p`
//! and a number refer to `docs/guarantees.md`.

mod account_post;
mod api_keys_get;
mod api_keys_id;
mod api_keys_post;
mod api_problems;
mod audit_events_get;
mod authorization;
mod authorization_groups_get;
mod bodies;
mod client_address;
mod compression;
mod cross_site;
mod decision_table;
mod expiration;
mod forward_auth;
mod headers;
mod health_get;
mod hostile_text;
mod idempotency_key;
mod json_bodies;
mod key_forms_post;
mod methods;
mod openapi_get;
mod own_grant;
mod page_reports_post;
mod pages_get;
mod request;
mod route_table;
mod server_functions_post;
mod sign_in_post;
mod sign_out_post;
pub(crate) mod test_app;
mod verify_post;
mod whoami_get;
mod whoami_rotate_post;
