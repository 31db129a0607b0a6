//! Real proxies with the very configurations of the documents: only their addresses are others. Those of `docs/gateways` ask Latchkey
//! about requests for a service; those of `docs/deploy` stand before Latchkey itself.
//!
//! `cargo xtask test` installs the programs and asks for these tests by `TEST_PROGRAMS`; without it, one that is missing is left out.

mod console;
mod program;
mod upstream;
mod world;

use std::path::{Path, PathBuf};

use console::Proxy;
use program::Program;
use world::World;

fn configuration(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/gateways")
        .join(name)
}

/// nginx, whose file goes into `conf.d`: around it stands no more than what makes a configuration of it.
fn nginx(world: &World) -> Option<Program> {
    let site = world.place(&configuration("nginx.conf"));
    let main = program::nginx_main(world.folder(), &site, "");
    world.start(
        "nginx",
        &[
            "-c".as_ref(),
            main.as_ref(),
            "-p".as_ref(),
            world.folder().as_ref(),
        ],
    )
}

fn caddy(world: &World) -> Option<Program> {
    let file = world.place(&configuration("Caddyfile"));
    world.start(
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

fn haproxy(world: &World) -> Option<Program> {
    world.place(&configuration("latchkey.lua"));
    let file = world.place(&configuration("haproxy.cfg"));
    world.start("haproxy", &["-f".as_ref(), file.as_ref()])
}

fn envoy(world: &World) -> Option<Program> {
    let file = world.place(&configuration("envoy.yaml"));
    world.start(
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

/// A part of the documentation, by the comment above it.
fn recipe(name: &str) -> String {
    let text = std::fs::read_to_string(configuration("README.md")).unwrap();
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n```")).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

fn nginx_with_recipes(world: &World) -> Option<Program> {
    let maps = recipe("nginx preflight map") + "\n" + &recipe("nginx bearer map");
    let site = world.place_with(
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
    let main = program::nginx_main(world.folder(), &site, "");
    let arguments = ["-c".as_ref(), main.as_ref()];
    world.start("nginx", &arguments)
}

fn caddy_with_recipes(world: &World) -> Option<Program> {
    let lines = recipe("caddy preflight") + "\n" + &recipe("caddy bearer");
    let file = world.place_with(
        &configuration("Caddyfile"),
        &[("\t\t# What a client says of itself", lines)],
    );
    let arguments = [
        "run".as_ref(),
        "--adapter".as_ref(),
        "caddyfile".as_ref(),
        "--config".as_ref(),
        file.as_ref(),
    ];
    world.start("caddy", &arguments)
}

fn haproxy_with_recipes(world: &World) -> Option<Program> {
    world.place(&configuration("latchkey.lua"));
    let lines = recipe("haproxy preflight") + "\n" + &recipe("haproxy bearer");
    let file = world.place_with(
        &configuration("haproxy.cfg"),
        &[("    http-request lua.latchkey", lines)],
    );
    world.start("haproxy", &["-f".as_ref(), file.as_ref()])
}

#[test]
fn nginx_answers_preflights_and_takes_bearer_tokens() {
    world::check_recipes(nginx_with_recipes);
}

#[test]
fn caddy_answers_preflights_and_takes_bearer_tokens() {
    world::check_recipes(caddy_with_recipes);
}

#[test]
fn haproxy_answers_preflights_and_takes_bearer_tokens() {
    world::check_recipes(haproxy_with_recipes);
}

#[test]
fn nginx_lets_through_whom_latchkey_admits() {
    world::check(nginx);
}

#[test]
fn caddy_lets_through_whom_latchkey_admits() {
    world::check(caddy);
}

#[test]
fn haproxy_lets_through_whom_latchkey_admits() {
    world::check(haproxy);
}

#[test]
fn envoy_lets_through_whom_latchkey_admits() {
    world::check(envoy);
}

#[test]
fn p69_nginx_logs_no_secret() {
    world::check_logs(nginx);
}

#[test]
fn p69_caddy_logs_no_secret() {
    world::check_logs(caddy);
}

#[test]
fn p69_haproxy_logs_no_secret() {
    world::check_logs(haproxy);
}

#[test]
fn p69_envoy_logs_no_secret() {
    world::check_logs(envoy);
}

#[test]
fn p73_a_client_cannot_say_who_it_is_through_nginx() {
    world::check_identity_headers(nginx);
}

#[test]
fn p73_a_client_cannot_say_who_it_is_through_caddy() {
    world::check_identity_headers(caddy);
}

#[test]
fn p73_a_client_cannot_say_who_it_is_through_haproxy() {
    world::check_identity_headers(haproxy);
}

#[test]
fn p73_a_client_cannot_say_who_it_is_through_envoy() {
    world::check_identity_headers(envoy);
}

#[test]
fn p69_nginx_before_the_console_logs_no_secret() {
    console::check_logs(Proxy::Nginx);
}

#[test]
fn p69_caddy_before_the_console_logs_no_secret() {
    console::check_logs(Proxy::Caddy);
}

#[test]
fn p69_haproxy_before_the_console_logs_no_secret() {
    console::check_logs(Proxy::Haproxy);
}

#[test]
fn p69_apache_before_the_console_logs_no_secret() {
    console::check_logs(Proxy::Apache);
}

#[test]
fn p70_a_rolling_restart_behind_nginx_fails_no_request() {
    console::check_rolling_restart(Proxy::Nginx);
}

#[test]
fn p70_a_rolling_restart_behind_caddy_fails_no_request() {
    console::check_rolling_restart(Proxy::Caddy);
}

#[test]
fn p70_a_rolling_restart_behind_haproxy_fails_no_request() {
    console::check_rolling_restart(Proxy::Haproxy);
}

#[test]
fn p77_an_entity_tag_survives_nginx() {
    console::check_entity_tags(Proxy::Nginx);
}

#[test]
fn p77_an_entity_tag_survives_caddy() {
    console::check_entity_tags(Proxy::Caddy);
}

#[test]
fn p77_an_entity_tag_survives_apache() {
    console::check_entity_tags(Proxy::Apache);
}

#[test]
fn the_console_works_behind_nginx() {
    console::check_console(Proxy::Nginx);
}

#[test]
fn the_console_works_behind_caddy() {
    console::check_console(Proxy::Caddy);
}

#[test]
fn the_console_works_behind_haproxy() {
    console::check_console(Proxy::Haproxy);
}

#[test]
fn the_console_works_behind_apache() {
    console::check_console(Proxy::Apache);
}
