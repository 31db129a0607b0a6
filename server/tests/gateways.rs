//! Proxies with the documented configurations, in which the tests replace the addresses. The proxies of `docs/gateways` verify requests for
//! a service; those of `docs/deploy` are placed in front of Latchkey.
//!
//! `cargo xtask test` installs the programs and sets `TEST_PROGRAMS`; without it, tests of missing programs are skipped.

mod console;
pub(crate) mod fixture;
mod identity_headers;
mod logs;
mod program;
mod recipes;
mod requests;
mod reverse_proxy;
mod rolling_restart;
mod upstream;

use std::path::{Path, PathBuf};

use fixture::GatewayFixture;
use program::Program;
use reverse_proxy::ReverseProxy;

fn configuration(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/gateways")
        .join(name)
}

/// nginx. The documented file belongs in `conf.d`; `program::nginx_main` wraps it.
fn nginx(fixture: &GatewayFixture) -> Option<Program> {
    let site = fixture.place(&configuration("nginx.conf"));
    let main = program::nginx_main(fixture.folder(), &site, "");
    fixture.start_proxy(
        "nginx",
        &[
            "-c".as_ref(),
            main.as_ref(),
            "-p".as_ref(),
            fixture.folder().as_ref(),
        ],
    )
}

fn caddy(fixture: &GatewayFixture) -> Option<Program> {
    let file = fixture.place(&configuration("Caddyfile"));
    fixture.start_proxy(
        "caddy",
        &[
            "run".as_ref(),
            "--adapter".as_ref(),
            "caddyfile".as_ref(),
            "--config".as_ref(),
            file.as_ref(),
        ],
    )
}

fn haproxy(fixture: &GatewayFixture) -> Option<Program> {
    fixture.place(&configuration("latchkey.lua"));
    let file = fixture.place(&configuration("haproxy.cfg"));
    fixture.start_proxy("haproxy", &["-f".as_ref(), file.as_ref()])
}

fn envoy(fixture: &GatewayFixture) -> Option<Program> {
    let file = fixture.place(&configuration("envoy.yaml"));
    fixture.start_proxy(
        "envoy",
        &[
            "-c".as_ref(),
            file.as_ref(),
            "--disable-hot-restart".as_ref(),
            "--concurrency".as_ref(),
            "1".as_ref(),
        ],
    )
}

/// A part of the documentation, identified by the comment above it.
fn recipe(name: &str) -> String {
    let text = std::fs::read_to_string(configuration("README.md")).unwrap();
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n```")).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

fn nginx_with_recipes(fixture: &GatewayFixture) -> Option<Program> {
    let maps = recipe("nginx preflight map") + "\n" + &recipe("nginx bearer map");
    let site = fixture.place_with(
        &configuration("nginx.conf"),
        &[
            ("upstream latchkey {", maps),
            (
                "        auth_request /latchkey;",
                recipe("nginx preflight location") + "\nproxy_set_header Authorization \"\";",
            ),
            ("        internal;", recipe("nginx bearer location")),
        ],
    );
    let main = program::nginx_main(fixture.folder(), &site, "");
    let arguments = ["-c".as_ref(), main.as_ref()];
    fixture.start_proxy("nginx", &arguments)
}

fn caddy_with_recipes(fixture: &GatewayFixture) -> Option<Program> {
    let lines = recipe("caddy preflight") + "\n" + &recipe("caddy bearer");
    let file = fixture.place_with(
        &configuration("Caddyfile"),
        &[("\t\t# Removes the client's own identity headers", lines)],
    );
    let arguments = [
        "run".as_ref(),
        "--adapter".as_ref(),
        "caddyfile".as_ref(),
        "--config".as_ref(),
        file.as_ref(),
    ];
    fixture.start_proxy("caddy", &arguments)
}

fn haproxy_with_recipes(fixture: &GatewayFixture) -> Option<Program> {
    fixture.place(&configuration("latchkey.lua"));
    let lines = recipe("haproxy preflight") + "\n" + &recipe("haproxy bearer");
    let file = fixture.place_with(
        &configuration("haproxy.cfg"),
        &[("    http-request lua.latchkey", lines)],
    );
    fixture.start_proxy("haproxy", &["-f".as_ref(), file.as_ref()])
}

#[test]
fn nginx_responds_to_preflights_and_accepts_bearer_tokens() {
    recipes::check(nginx_with_recipes);
}

#[test]
fn caddy_responds_to_preflights_and_accepts_bearer_tokens() {
    recipes::check(caddy_with_recipes);
}

#[test]
fn haproxy_responds_to_preflights_and_accepts_bearer_tokens() {
    recipes::check(haproxy_with_recipes);
}

#[test]
fn nginx_forwards_requests_that_latchkey_accepts() {
    requests::check(nginx);
}

#[test]
fn caddy_forwards_requests_that_latchkey_accepts() {
    requests::check(caddy);
}

#[test]
fn haproxy_forwards_requests_that_latchkey_accepts() {
    requests::check(haproxy);
}

#[test]
fn envoy_forwards_requests_that_latchkey_accepts() {
    requests::check(envoy);
}

#[test]
fn p69_nginx_logs_no_secret() {
    logs::check(nginx);
}

#[test]
fn p69_caddy_logs_no_secret() {
    logs::check(caddy);
}

#[test]
fn p69_haproxy_logs_no_secret() {
    logs::check(haproxy);
}

#[test]
fn p69_envoy_logs_no_secret() {
    logs::check(envoy);
}

#[test]
fn p73_a_client_cannot_forge_identity_headers_through_nginx() {
    identity_headers::check(nginx);
}

#[test]
fn p73_a_client_cannot_forge_identity_headers_through_caddy() {
    identity_headers::check(caddy);
}

#[test]
fn p73_a_client_cannot_forge_identity_headers_through_haproxy() {
    identity_headers::check(haproxy);
}

#[test]
fn p73_a_client_cannot_forge_identity_headers_through_envoy() {
    identity_headers::check(envoy);
}

#[test]
fn p69_nginx_before_the_console_logs_no_secret() {
    console::check_logs(ReverseProxy::Nginx);
}

#[test]
fn p69_caddy_before_the_console_logs_no_secret() {
    console::check_logs(ReverseProxy::Caddy);
}

#[test]
fn p69_haproxy_before_the_console_logs_no_secret() {
    console::check_logs(ReverseProxy::Haproxy);
}

#[test]
fn p69_apache_before_the_console_logs_no_secret() {
    console::check_logs(ReverseProxy::Apache);
}

#[test]
fn p70_a_rolling_restart_behind_nginx_fails_no_request() {
    rolling_restart::check(ReverseProxy::Nginx);
}

#[test]
fn p70_a_rolling_restart_behind_caddy_fails_no_request() {
    rolling_restart::check(ReverseProxy::Caddy);
}

#[test]
fn p70_a_rolling_restart_behind_haproxy_fails_no_request() {
    rolling_restart::check(ReverseProxy::Haproxy);
}

#[test]
fn p77_an_entity_tag_survives_nginx() {
    console::check_entity_tags(ReverseProxy::Nginx);
}

#[test]
fn p77_an_entity_tag_survives_caddy() {
    console::check_entity_tags(ReverseProxy::Caddy);
}

#[test]
fn p77_an_entity_tag_survives_apache() {
    console::check_entity_tags(ReverseProxy::Apache);
}

#[test]
fn the_console_works_behind_nginx() {
    console::check_console(ReverseProxy::Nginx);
}

#[test]
fn the_console_works_behind_caddy() {
    console::check_console(ReverseProxy::Caddy);
}

#[test]
fn the_console_works_behind_haproxy() {
    console::check_console(ReverseProxy::Haproxy);
}

#[test]
fn the_console_works_behind_apache() {
    console::check_console(ReverseProxy::Apache);
}
