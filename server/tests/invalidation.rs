//! Cache invalidation on one server: the verdict on a request that is sent after the response to a change never uses the old state. Changes
//! are made by page, API and command while 32 connections verify keys that the server caches.
//!
//! `TEST_ROUNDS` is the number of changes of each kind; `cargo xtask soak` raises it.

pub(crate) mod loaded_server;

use serde_json::json;

use crate::support::{environment, load::Target, setup::text};
use loaded_server::{LoadedServer, OUTSIDE};

/// The interface by which a change is made.
#[derive(Clone, Copy)]
enum Interface {
    Page,
    Api,
    Command,
}

fn rounds() -> usize {
    environment::rounds(20)
}

#[test]
fn p34_p46_a_revoked_key_is_refused_from_the_answer_on() {
    let server = LoadedServer::start();
    for interface in [Interface::Page, Interface::Api, Interface::Command] {
        for _ in 0..rounds() {
            let key = server.new_key();
            server.change(Target::new(&key.secret, 200, 401), || match interface {
                Interface::Page => {
                    server.page("revoke_api_key", &json!({ "tenant": null, "id": key.id }))
                }
                Interface::Api => {
                    server.api("POST", &format!("/api-keys/{}/revoke", key.id), "");
                }
                Interface::Command => server.command(&["key", "revoke", &key.id]),
            });
        }
    }
    server.assert_cached();
}

#[test]
fn p34_a_rotated_secret_is_refused_from_the_answer_on_and_the_new_one_works() {
    let server = LoadedServer::start();
    for interface in [Interface::Page, Interface::Api, Interface::Command] {
        let mut key = server.new_key();
        for _ in 0..rounds() {
            let mut new = String::new();
            server.change(Target::new(&key.secret, 200, 401), || {
                let changed = match interface {
                    Interface::Page => server.page_json(
                        "rotate_api_key",
                        &json!({ "tenant": null, "id": key.id, "expires_on": "" }),
                    ),
                    Interface::Api => {
                        server.api("POST", &format!("/api-keys/{}/rotate", key.id), "")
                    }
                    Interface::Command => server.command_json(&["key", "rotate", &key.id]),
                };
                new = text(&changed, "secret");
                assert_eq!(server.verify(&new), 200, "the new secret works at once");
            });
            key.secret = new;
        }
    }
}

#[test]
fn p34_a_created_key_works_from_the_answer_on_and_an_unknown_secret_reads_nothing() {
    let server = LoadedServer::start();
    server.wait_until_loaded();
    for interface in [Interface::Page, Interface::Api, Interface::Command] {
        for round in 0..rounds() {
            let name = format!("Target {round}");
            let created = match interface {
                Interface::Page => {
                    let form = json!({
                        "name": name, "description": "", "authorization_group_id": server.group,
                        "expires_on": "", "ip_allowlist": "",
                    });
                    server.page_json("generate_api_key", &json!({ "tenant": null, "form": form }))
                }
                Interface::Api => {
                    let body = json!({
                        "name": name, "authorization_group_id": server.group, "expires_on": null,
                    });
                    server.api("POST", "/api-keys", &body.to_string())
                }
                Interface::Command => {
                    let key = ["key", "create", "--tenant", "acme", "--name", &name];
                    server.command_json(&[&key[..], &["--group", "Targets"]].concat())
                }
            };
            assert_eq!(server.verify(&text(&created, "secret")), 200);
        }
    }
    let unknown = format!("lk_{}0dawgh", "0".repeat(32));
    let reads = server.database_reads();
    for _ in 0..rounds() {
        assert_eq!(server.verify(&unknown), 401);
    }
    assert_eq!(server.database_reads(), reads);
}

#[test]
fn p39_an_edited_allowlist_holds_from_the_answer_on() {
    let server = LoadedServer::start();
    for interface in [Interface::Page, Interface::Api] {
        let key = server.new_key();
        for round in 0..rounds() {
            let (allowlist, before, after) = if round % 2 == 0 {
                (OUTSIDE, 200, 403)
            } else {
                ("127.0.0.0/8", 403, 200)
            };
            server.change(
                Target::new(&key.secret, before, after).reversible(),
                || match interface {
                    Interface::Api => {
                        let body = json!({ "ip_allowlist": [allowlist] }).to_string();
                        server.api("PATCH", &format!("/api-keys/{}", key.id), &body);
                    }
                    _ => server.page(
                        "edit_api_key",
                        &json!({
                            "tenant": null,
                            "id": key.id,
                            "version": round + 1,
                            "form": {
                                "name": "Target",
                                "description": "",
                                "authorization_group_id": server.group,
                                "expires_on": "",
                                "ip_allowlist": allowlist,
                            },
                        }),
                    ),
                },
            );
        }
    }
    server.assert_cached();
}

#[test]
fn p39_a_groups_permissions_and_a_suspension_hold_from_the_answer_on() {
    let server = LoadedServer::start();
    let key = server.new_key();
    for round in 0..rounds() {
        let (permission, before, after) = if round % 2 == 0 {
            ("orders:write", 200, 403)
        } else {
            ("orders:read", 403, 200)
        };
        server.change(Target::new(&key.secret, before, after).reversible(), || {
            server.command(&[
                "group",
                "set-permissions",
                "--tenant",
                "acme",
                "--group",
                &server.group,
                "--permission",
                permission,
            ]);
        });
    }
    // The number of rounds is even, so that the permission is granted again.
    for round in 0..rounds() {
        let (command, before, after) = if round % 2 == 0 {
            ("suspend", 200, 403)
        } else {
            ("resume", 403, 200)
        };
        server.change(Target::new(&key.secret, before, after).reversible(), || {
            server.command(&["tenant", command, "acme"]);
        });
    }
    server.assert_cached();
}
