//! State that replicas share through the database: sessions, throttles, idempotency keys and the key limit.

use std::thread;

use serde_json::Value;

use super::{NO_SETTINGS, cluster::ReplicaCluster};
use crate::support::{
    client::{get, send},
    setup::{ADMIN, PASSWORD, sign_in},
};

/// The status of a page that requires a session.
fn page(cluster: &ReplicaCluster, at: usize, session: &str) -> String {
    let address = &cluster.replicas[at].server.address;
    let response = get(
        address,
        "/tenant-api-keys",
        &format!("cookie: {session}\r\n"),
    );
    response[9..12].to_owned()
}

#[test]
fn p12_p29_a_session_is_valid_on_every_replica_and_ends_on_all_at_once() {
    let Some(cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    let operator = &cluster.replicas[0].latchkey;
    let emails = [ADMIN, "jon@acme.example", "noor@acme.example"];
    let sessions = emails.map(|email| {
        operator.create_administrator("acme", email);
        let address = &cluster.replicas[0].server.address;
        sign_in(address, email, PASSWORD).1.unwrap()
    });
    let on_all = |session: &str, status: &str| {
        for at in 0..3 {
            assert_eq!(page(&cluster, at, session), status, "replica {at}");
        }
    };
    for session in &sessions {
        on_all(session, "200");
    }
    operator
        .run(&["user", "disable", "--email", emails[0]])
        .expect_success();
    on_all(&sessions[0], "303");
    let new_password = operator.run(&["user", "set-password", "--email", emails[1]]);
    new_password.expect_success();
    on_all(&sessions[1], "303");
    on_all(&sessions[2], "200");
    let key = cluster.new_key(0);
    for replica in &cluster.replicas {
        assert_eq!(replica.verify(&key.secret), Some(200));
    }
    operator
        .run(&["tenant", "suspend", "acme"])
        .expect_success();
    for replica in &cluster.replicas {
        assert_eq!(replica.verify(&key.secret), Some(403));
    }
    for at in 0..3 {
        assert_ne!(page(&cluster, at, &sessions[2]), "200", "replica {at}");
    }
}

#[test]
fn a_form_sent_to_one_replica_is_confirmed_with_the_replicas_by_the_page_of_another() {
    let Some(cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    cluster.replicas[0]
        .latchkey
        .create_administrator("acme", ADMIN);
    let addresses = [0, 1].map(|at| cluster.replicas[at].server.address.as_str());
    let session = sign_in(addresses[0], ADMIN, PASSWORD).1.unwrap();
    let form = [
        ("Cookie", session.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let key = cluster.new_key(0);
    for replica in &cluster.replicas {
        replica.wait_for_lease();
    }
    let edit = format!(
        "version=1&name=Target&description=&authorization_group_id={}&ip_allowlist=",
        cluster.group
    );
    for (dialog, body, confirmation) in [
        ("edit", edit.as_str(), "Saved Target. In force on "),
        ("revoke", "reason=", "Revoked Target. Refused on "),
    ] {
        let path = format!("/tenant-api-keys/{}/{dialog}", key.id);
        let changed = send(addresses[0], "POST", &path, &form, body);
        assert_eq!(changed.status, 303, "{}", changed.body);
        let done = changed.cookie("latchkey_done").unwrap();
        let cookies = format!("cookie: {session}; {done}\r\n");
        let page = get(addresses[1], "/tenant-api-keys", &cookies);
        let (_, rest) = page.split_once(confirmation).expect(&page);
        assert!(rest.contains(" of 3 replicas after "), "{dialog}: {rest}");
    }
}

#[test]
fn p13_wrong_passwords_are_counted_over_all_replicas() {
    let Some(cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    cluster.replicas[0]
        .latchkey
        .create_administrator("acme", ADMIN);
    for attempt in 0..10 {
        let address = &cluster.replicas[attempt % 3].server.address;
        assert_eq!(sign_in(address, ADMIN, "not this one, surely").0, 422);
    }
    for replica in &cluster.replicas {
        assert_eq!(sign_in(&replica.server.address, ADMIN, PASSWORD).0, 429);
    }
}

/// Runs `work` fifty times concurrently, in turn on the replicas.
fn fifty_at_once<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let started: Vec<_> = (0..50)
            .map(|number| scope.spawn(move || work(number % 3)))
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn p43_of_fifty_concurrent_creates_on_three_replicas_exactly_one_takes_the_last_place() {
    let Some(cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    let operator = &cluster.replicas[0].latchkey;
    let used = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL";
    let body = format!(
        r#"{{"name":"Target","authorization_group_id":"{}"}}"#,
        cluster.group
    );
    for _ in 0..super::rounds().min(50) {
        let limit = (cluster.database.number(used) + 1).to_string();
        operator
            .run(&["tenant", "set-limit", "acme", &limit])
            .expect_success();
        let statuses = fifty_at_once(|at| cluster.api(at, "POST", "/api-keys", &body).unwrap().0);
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(201), count(409)), (1, 49), "{statuses:?}");
        assert_eq!(cluster.database.number(used).to_string(), limit);
    }
}

#[test]
fn p44_after_fifty_concurrent_rotations_on_three_replicas_exactly_one_secret_works() {
    let Some(cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    let key = cluster.new_key(0);
    let path = format!("/api-keys/{}/rotate", key.id);
    let responses = fifty_at_once(|at| cluster.api(at, "POST", &path, "").unwrap());
    let secrets: Vec<_> = responses
        .iter()
        .filter(|(status, _)| *status == 200)
        .map(|(_, response)| response["secret"].as_str().unwrap())
        .collect();
    assert!(!secrets.is_empty(), "{responses:?}");
    for replica in &cluster.replicas {
        let works = |secret: &str| replica.verify(secret) == Some(200);
        assert_eq!(secrets.iter().filter(|secret| works(secret)).count(), 1);
        assert!(!works(&key.secret));
    }
}

#[test]
fn p45_concurrent_rotation_and_revocation_on_two_replicas_ends_revoked() {
    let Some(cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    for _ in 0..super::rounds().min(200) {
        let key = cluster.new_key(0);
        let change = |at: usize, what: &str| {
            let path = format!("/api-keys/{}/{what}", key.id);
            cluster.api(at, "POST", &path, "").unwrap()
        };
        let (rotated, revoked) = thread::scope(|scope| {
            let rotated = scope.spawn(|| change(1, "rotate"));
            let revoked = scope.spawn(|| change(2, "revoke"));
            (rotated.join().unwrap(), revoked.join().unwrap())
        });
        assert_eq!(revoked.0, 200, "{revoked:?}");
        let mut secrets = vec![key.secret.as_str()];
        match rotated {
            (200, ref response) => secrets.push(response["secret"].as_str().unwrap()),
            (status, ref response) => assert_eq!(status, 409, "{response}"),
        }
        for replica in &cluster.replicas {
            for secret in &secrets {
                assert_eq!(replica.verify(secret), Some(401));
            }
        }
    }
}

#[test]
fn p35_an_idempotency_key_counts_once_over_all_replicas() {
    let Some(cluster) = ReplicaCluster::start(NO_SETTINGS) else {
        return;
    };
    let body = format!(
        r#"{{"name":"Once","authorization_group_id":"{}"}}"#,
        cluster.group
    );
    let responses: Vec<(u16, Value)> = fifty_at_once(|at| {
        let headers = "idempotency-key: nightly-7\r\n";
        cluster
            .api_with(at, "POST", "/api-keys", headers, &body)
            .unwrap()
    });
    let with_secret = responses
        .iter()
        .filter(|(status, response)| *status == 201 && response["secret"].is_string());
    assert_eq!(with_secret.count(), 1, "{responses:?}");
    // The others arrived while it was in flight, or repeat its response without the secret.
    assert!(
        responses
            .iter()
            .all(|(status, _)| matches!(status, 201 | 409)),
        "{responses:?}"
    );
    let made = "SELECT count(*) FROM api_keys WHERE name = 'Once'";
    assert_eq!(cluster.database.number(made), 1);
}
