//! All tests of the binary `latchkey`, in one program. Each module is a part of `cargo xtask test --only`.
//!
//! | module | tests |
//! | --- | --- |
//! | [`http`] | the router, request by request, on SQLite or PostgreSQL |
//! | [`cli`] | commands: output, exit codes, error messages |
//! | [`serve`] | starting, stopping, connections |
//! | [`invalidation`] | cache invalidation on one server, under load |
//! | [`replicas`] | cache invalidation on three replicas, through faults |
//! | [`faults`] | failing disks and database connections |
//! | [`crash`] | killed servers and databases |
//! | [`durability`] | flushes to disk, a full disk |
//! | [`backup`] | backup and restore |
//! | [`fairness`] | a tenant or client that floods the server |
//! | [`gateways`] | nginx, Caddy, HAProxy, Envoy and Apache with the documented configurations |
//! | [`tls`] | TLS to PostgreSQL |
//! | [`log_gate`] | secrets in logs |
//! | [`api_document`] | the commands of `docs/api.md` |
//! | [`secret_scanning`] | the rules of `docs/secret-scanning.md` |
//! | [`support`] | fixtures for all of them |
//!
//! Tests of one module run in parallel; tests of different modules do not (see [`support::turns`]).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api_document;
mod backup;
mod cli;
mod crash;
mod durability;
mod fairness;
mod faults;
mod gateways;
mod http;
mod invalidation;
mod log_gate;
mod replicas;
mod secret_scanning;
mod serve;
mod support;
mod tls;
