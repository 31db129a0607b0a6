//! Real proxies that ask Latchkey, with the very configurations of `docs/gateways`: only their addresses are others.
//!
//! `cargo xtask test` installs the programs and asks for these tests by `TEST_PROGRAMS`; without it, one that is missing is left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "no command has to fail here")]
#[path = "support/binary.rs"]
mod binary;
#[path = "gateways/upstream.rs"]
mod upstream;
#[path = "gateways/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use world::{Gateway, World};

fn configuration(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/gateways")
        .join(name)
}

/// nginx, whose file goes into `conf.d`: around it stands no more than what makes a configuration of it.
fn nginx(world: &World) -> Option<Gateway> {
    let site = world.place(&configuration("nginx.conf"));
    let folder = world.folder();
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()))
        .concat();
    let main = folder.join("main.conf");
    std::fs::write(
        &main,
        format!(
            "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr info;\n\
             events {{}}\nhttp {{\naccess_log off;\n{places}include {1};\n}}\n",
            folder.display(),
            site.display(),
        ),
    )
    .unwrap();
    world.start(
        "nginx",
        &["-c".as_ref(), main.as_ref(), "-p".as_ref(), folder.as_ref()],
    )
}

fn caddy(world: &World) -> Option<Gateway> {
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

fn haproxy(world: &World) -> Option<Gateway> {
    world.place(&configuration("latchkey.lua"));
    let file = world.place(&configuration("haproxy.cfg"));
    world.start("haproxy", &["-f".as_ref(), file.as_ref()])
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
