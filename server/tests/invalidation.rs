//! A change holds from the moment its answer is there: by the page, the API and the command line, under the load of 32 connections
//! whose keys the server has in memory.
//!
//! `TEST_ROUNDS` is how often each change is made; `cargo xtask soak` makes them more often.

mod scene;

use serde_json::json;

use crate::support::load::Target;
use scene::{OUTSIDE, Scene};

/// How a change is asked for.
#[derive(Clone, Copy)]
enum Door {
    Page,
    Api,
    CommandLine,
}

fn rounds() -> u32 {
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask says so by the environment"
    )]
    std::env::var("TEST_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap())
}

#[test]
fn p34_p46_a_revoked_key_is_refused_from_the_answer_on() {
    let scene = Scene::start();
    for door in [Door::Page, Door::Api, Door::CommandLine] {
        for _ in 0..rounds() {
            let key = scene.new_key();
            scene.change(Target::new(&key.secret, 200, 401), || match door {
                Door::Page => {
                    scene.page("revoke_api_key", &json!({ "tenant": null, "id": key.id }))
                }
                Door::Api => {
                    scene.api("POST", &format!("/api-keys/{}/revoke", key.id), "");
                }
                Door::CommandLine => scene.command(&["key", "revoke", &key.id]),
            });
        }
    }
    scene.assert_from_memory();
}

#[test]
fn p34_a_rotated_secret_is_refused_from_the_answer_on_and_the_new_one_works() {
    let scene = Scene::start();
    for door in [Door::Page, Door::Api, Door::CommandLine] {
        let mut key = scene.new_key();
        for _ in 0..rounds() {
            let mut new = String::new();
            scene.change(Target::new(&key.secret, 200, 401), || {
                let answer = match door {
                    Door::Page => scene.page_answer(
                        "rotate_api_key",
                        &json!({ "tenant": null, "id": key.id, "expires_on": "" }),
                    ),
                    Door::Api => scene.api("POST", &format!("/api-keys/{}/rotate", key.id), ""),
                    Door::CommandLine => scene.command_answer(&["key", "rotate", &key.id]),
                };
                new = answer["secret"].as_str().unwrap().to_owned();
                assert_eq!(scene.ask(&new), 200, "the new one, at once");
            });
            key.secret = new;
        }
    }
}

#[test]
fn p39_an_edited_allowlist_holds_from_the_answer_on() {
    let scene = Scene::start();
    for door in [Door::Page, Door::Api] {
        let key = scene.new_key();
        for round in 0..rounds() {
            let (allowlist, before, after) = if round % 2 == 0 {
                (OUTSIDE, 200, 403)
            } else {
                ("127.0.0.0/8", 403, 200)
            };
            scene.change(
                Target::new(&key.secret, before, after).that_comes_back(),
                || match door {
                    Door::Api => {
                        let body = json!({ "ip_allowlist": [allowlist] }).to_string();
                        scene.api("PATCH", &format!("/api-keys/{}", key.id), &body);
                    }
                    _ => scene.page(
                        "edit_api_key",
                        &json!({
                            "tenant": null,
                            "id": key.id,
                            "version": i64::from(round) + 1,
                            "form": {
                                "name": "Target",
                                "description": "",
                                "authorization_group_id": scene.group,
                                "expires_on": "",
                                "ip_allowlist": allowlist,
                            },
                        }),
                    ),
                },
            );
        }
    }
    scene.assert_from_memory();
}

#[test]
fn p39_a_groups_permissions_and_a_suspension_hold_from_the_answer_on() {
    let scene = Scene::start();
    let key = scene.new_key();
    for round in 0..rounds() {
        let (permission, before, after) = if round % 2 == 0 {
            ("orders:write", 200, 403)
        } else {
            ("orders:read", 403, 200)
        };
        scene.change(
            Target::new(&key.secret, before, after).that_comes_back(),
            || {
                scene.command(&[
                    "group",
                    "set-permissions",
                    "--tenant",
                    "acme",
                    "--group",
                    &scene.group,
                    "--permission",
                    permission,
                ]);
            },
        );
    }
    // An even number of rounds has left it as it was.
    for round in 0..rounds() {
        let (command, before, after) = if round % 2 == 0 {
            ("suspend", 200, 403)
        } else {
            ("resume", 403, 200)
        };
        scene.change(
            Target::new(&key.secret, before, after).that_comes_back(),
            || {
                scene.command(&["tenant", command, "acme"]);
            },
        );
    }
    scene.assert_from_memory();
}
