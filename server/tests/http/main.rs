//! The built router over a real SQLite file, filed by URL and verb. Names that begin with `p` and a number are guarantees of the
//! acceptance list.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api_keys_get;
mod api_problems;
mod bodies;
mod client_address;
mod cross_site;
mod decision_table;
mod exchange;
mod expiration;
mod headers;
mod health_get;
mod methods;
mod pages_get;
mod route_table;
mod server_functions_post;
mod sign_in_post;
mod sign_out_post;
mod whoami_get;
mod world;
