//! The binary `latchkey`: HTTP, command line, settings.
//!
//! | question | room |
//! | --- | --- |
//! | which routes are there, who may call them, and who sees to that? | [`router`], [`route_guard`] |
//! | who is asking, and from where? | [`api_key_layer`], [`client`], [`cookies`], [`csrf`] |
//! | what does an answer of the JSON API look like? | [`api`] |
//! | how does a page get to the browser? | [`pages`], [`assets`] |
//! | what do all answers have? | [`service`], [`security_headers`], [`request_id`], [`body_limit`], [`content_coding`] |
//! | how does it listen, and how does it end? | [`serve`], [`drain`], [`health`], [`metrics`], [`runtime`] |
//! | which commands are there? | [`cli`] |
//! | which settings are there, and what may they be? | [`config`] |
//! | what is in the tenant to play with? | [`demo`] |
//! | where do log lines go, and in which form? | [`logging`] |

// The types of the pages nest deeply, and the compiler lays them out here.
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
pub mod state;
mod urlencoded;
mod version;
