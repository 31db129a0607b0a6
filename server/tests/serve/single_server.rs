//! One server on one SQLite file, and the commands beside it.

use std::process::Command;

use crate::support::{
    binary::{Latchkey, Run},
    server::Server,
};

#[test]
fn a_second_server_on_one_sqlite_file_is_refused_and_commands_are_not() {
    let latchkey = Latchkey::new();
    let _server = Server::start(&latchkey, &[]);
    let second = latchkey.run(&["serve"]);
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""));
    assert!(
        second
            .stderr
            .contains("another latchkey serves this database"),
        "{}",
        second.stderr
    );
    latchkey.create_tenant("Acme", 10);
}

#[test]
fn a_command_waits_for_the_server_and_reports_a_missing_confirmation() {
    let (latchkey, key) = Latchkey::with_key();
    let mut server = Server::start(&latchkey, &[]);
    let socket = latchkey.folder().join("latchkey.db.sock");
    let metadata = std::fs::metadata(&socket).expect("a socket beside the database");
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let id = &latchkey.run_json(&["key", "list", "--tenant", "acme"])[0]["id"];
    let id = id.as_str().expect("an id");
    let whoami = |server: &Server| {
        let response = server.get("/api/v1/whoami", &format!("x-api-key: {}\r\n", key.secret));
        response[9..12].to_owned()
    };
    assert_eq!(whoami(&server), "200");

    // The server has cached the key and cannot confirm.
    server.signal("STOP");
    let suspended = latchkey.run(&["tenant", "suspend", "acme", "--json"]);
    assert_eq!(suspended.code, Some(3), "{}", suspended.stderr);
    assert!(suspended.stdout.contains("acme"), "the output is complete");
    assert!(
        suspended.stderr.contains("written, not confirmed"),
        "{}",
        suspended.stderr
    );
    // A command that only reads does not wait.
    latchkey.run_json(&["tenant", "list"]);
    server.signal("CONT");
    latchkey.run_json(&["key", "revoke", id]);
    assert_eq!(whoami(&server), "401");

    server.signal("TERM");
    assert_eq!(server.wait_for_exit(), Some(0));
    assert!(!socket.exists());
    latchkey.run_json(&["tenant", "resume", "acme"]);
}

#[test]
fn a_command_that_uses_a_symbolic_link_is_confirmed_by_the_server() {
    let (latchkey, key) = Latchkey::with_key();
    let server = Server::start(&latchkey, &[]);
    let link = latchkey.folder().join("current.db");
    std::os::unix::fs::symlink("latchkey.db", &link).expect("a link");
    let url = format!("sqlite://{}?mode=rwc", link.display());
    let run_by_link = |arguments: &[&str]| {
        let output = latchkey
            .command(arguments)
            .env("DATABASE_URL", &url)
            .output();
        Run::from(output.expect("latchkey runs"))
    };
    let whoami = || {
        let response = server.get("/api/v1/whoami", &format!("x-api-key: {}\r\n", key.secret));
        response[9..12].to_owned()
    };
    assert_eq!(whoami(), "200");
    run_by_link(&["tenant", "suspend", "acme"]).expect_success();
    assert_eq!(whoami(), "403");
    run_by_link(&["serve"]).expect_failure(&["DATABASE_URL: cannot open"]);
    server.signal("STOP");
    assert_eq!(run_by_link(&["tenant", "resume", "acme"]).code, Some(3));
    server.signal("CONT");
}

#[test]
fn a_socket_that_a_crash_left_behind_is_replaced() {
    let (latchkey, _) = Latchkey::with_key();
    let mut server = Server::start(&latchkey, &[]);
    server.signal("KILL");
    server.wait_for_exit();
    assert!(latchkey.folder().join("latchkey.db.sock").exists());
    latchkey.run_json(&["tenant", "suspend", "acme"]);
    let _server = Server::start(&latchkey, &[]);
    latchkey.run_json(&["tenant", "resume", "acme"]);
}

/// Runs a command on the database through another path to its file.
fn run_by_path(latchkey: &Latchkey, file: &std::path::Path, arguments: &[&str]) -> Run {
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut command = latchkey.command(arguments);
    Run::from(
        command
            .env("DATABASE_URL", url)
            .output()
            .expect("latchkey runs"),
    )
}

#[test]
fn p68_a_second_server_is_refused_by_every_path_to_the_file() {
    let (latchkey, key) = Latchkey::with_key();
    let original = latchkey.folder().join("latchkey.db");
    let other = latchkey.folder().join("other");
    std::fs::create_dir(&other).expect("a folder");
    let hard = other.join("latchkey.db");
    std::fs::hard_link(&original, &hard).expect("a hard link");
    let symbolic = latchkey.folder().join("symbolic.db");
    std::os::unix::fs::symlink(&original, &symbolic).expect("a symbolic link");
    let mut server = Server::start(&latchkey, &[]);
    for name in [&original, &hard, &symbolic] {
        let second = run_by_path(&latchkey, name, &["serve"]);
        assert_eq!(second.code, Some(1), "{}", name.display());
        assert!(
            second.stderr.contains("another latchkey serves this"),
            "{}",
            second.stderr
        );
    }
    // Through a hard link, a command would use another write-ahead log than the server.
    for arguments in [
        &["tenant", "suspend", "acme"][..],
        &["tenant", "list"],
        &["backup", "copy.db"],
    ] {
        let refused = run_by_path(&latchkey, &hard, arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert!(
            refused.stderr.contains("under another name"),
            "{}",
            refused.stderr
        );
    }
    run_by_path(&latchkey, &symbolic, &["tenant", "suspend", "acme"]).expect_success();
    let whoami = server.get("/api/v1/whoami", &format!("x-api-key: {}\r\n", key.secret));
    assert!(whoami.starts_with("HTTP/1.1 403"), "{whoami}");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit(), Some(0));
    // Without a server, every path works.
    run_by_path(&latchkey, &hard, &["tenant", "resume", "acme"]).expect_success();
}

#[test]
fn p68_a_second_server_is_refused_behind_a_mount_and_in_another_mount_namespace() {
    // Mounts are in a separate mount namespace, which only root and some users may create.
    let namespace = Command::new("unshare")
        .args(["--mount", "--map-root-user", "true"])
        .output();
    if !namespace.is_ok_and(|tried| tried.status.success()) {
        eprintln!("skipped: this user may not create mount namespaces");
        return;
    }
    let (latchkey, _) = Latchkey::with_key();
    let folder = latchkey.folder().display().to_string();
    let _server = Server::start(&latchkey, &[]);
    let binary = env!("CARGO_BIN_EXE_latchkey");
    for (script, url) in [
        // The same path in another namespace
        (
            format!("exec {binary} serve"),
            format!("sqlite://{folder}/latchkey.db?mode=rwc"),
        ),
        // A bind mount of the file
        (
            format!(
                "mkdir -p {folder}/m && touch {folder}/m/x.db && mount --bind {folder}/latchkey.db {folder}/m/x.db && exec {binary} serve"
            ),
            format!("sqlite://{folder}/m/x.db?mode=rwc"),
        ),
        // A bind mount of the folder
        (
            format!(
                "mkdir -p {folder}/n && mount --bind {folder} {folder}/n && exec {binary} serve"
            ),
            format!("sqlite://{folder}/n/latchkey.db?mode=rwc"),
        ),
    ] {
        let output = Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", &script])
            .current_dir(latchkey.folder())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DATABASE_URL", url)
            .env("LATCHKEY_LISTEN", "127.0.0.1:0")
            .output()
            .expect("unshare runs");
        let second = Run::from(output);
        assert_eq!(second.code, Some(1), "{script}: {}", second.stderr);
        assert!(
            second.stderr.contains("another latchkey serves this"),
            "{script}: {}",
            second.stderr
        );
    }
}
