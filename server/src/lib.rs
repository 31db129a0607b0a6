//! The binary `latchkey`: HTTP, command line, settings.
//!
//! | question | module |
//! | --- | --- |
//! | routes, their callers, and the enforcement of both | [`router`], [`route_guard`] |
//! | client and caller of a request | [`api_key_layer`], [`client`], [`cookies`], [`csrf`] |
//! | the JSON API: routes, bodies, problems, OpenAPI document | [`api`] |
//! | pages and the files of the browser | [`pages`], [`assets`] |
//! | common parts of every response | [`service`], [`security_headers`], [`request_id`], [`body_limit`], [`content_coding`] |
//! | listening, stopping, health, metrics | [`serve`], [`drain`], [`health`], [`metrics`], [`runtime`] |
//! | commands | [`cli`], [`failure`], [`output`] |
//! | the provider of single sign-on | [`single_sign_on`] |
//! | settings and their values | [`config`] |
//! | the demo tenant | [`demo`] |
//! | log lines: destination and format | [`logging`] |

// The nested types of pages exceed the compiler's default limit.
#![recursion_limit = "512"]

mod api;
mod api_key_layer;
pub mod assets;
#[cfg(feature = "bench")]
pub mod bench;
mod body_limit;
pub mod caller;
pub mod cli;
mod client;
pub mod clock;
pub mod config;
mod content_coding;
mod cookies;
mod csrf;
mod database;
mod demo;
pub mod drain;
mod failure;
mod health;
mod host;
pub mod logging;
mod metrics;
mod output;
mod pages;
mod request_id;
mod route_guard;
pub mod router;
pub mod runtime;
mod security_headers;
mod serve;
pub mod service;
pub mod single_sign_on;
pub mod state;
mod urlencoded;
mod version;
