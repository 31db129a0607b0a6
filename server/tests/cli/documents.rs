//! `completions`, `man` and `healthcheck`.

use std::{fs, process::Command};

use crate::support::{binary::Latchkey, server::Server};

#[test]
fn every_shell_has_a_script_that_completes_commands() {
    let latchkey = Latchkey::new().with("DATABASE_URL", "nonsense");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = latchkey.run(&["completions", shell]);
        let script = &run.expect_success().stdout;
        for command in ["tenant", "healthcheck", "set-limit"] {
            assert!(script.contains(command), "{shell} completes {command}");
        }
    }
    let script = latchkey.run(&["completions", "bash"]).stdout;
    let file = latchkey.folder().join("latchkey.bash");
    fs::write(&file, script).expect("written");
    // The function of the script, called as bash calls it for `latchkey ten<Tab>`.
    let test = format!(
        ". {}; COMP_WORDS=(latchkey ten); COMP_CWORD=1; _latchkey latchkey ten latchkey; echo \"${{COMPREPLY[*]}}\"",
        file.display()
    );
    let completed = Command::new("bash").args(["-c", &test]).output();
    let completed = completed.expect("bash runs");
    let text = String::from_utf8(completed.stdout).expect("UTF-8");
    assert_eq!(text.trim(), "tenant");
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let latchkey = Latchkey::new().with("DATABASE_URL", "nonsense");
    let folder = latchkey.folder().join("share/man1");
    latchkey
        .run(&["man", folder.to_str().expect("UTF-8")])
        .expect_success();
    for page in [
        "latchkey.1",
        "latchkey-serve.1",
        "latchkey-key-rotate.1",
        "latchkey-config-check.1",
    ] {
        let text = fs::read_to_string(folder.join(page)).expect(page);
        assert!(text.contains(".SH NAME"), "{page}");
    }
    let run = latchkey.run(&["man", "/proc/nowhere"]);
    run.expect_failure(&["cannot write to '/proc/nowhere': "]);
}

#[test]
fn the_health_check_succeeds_while_the_server_is_up() {
    let latchkey = Latchkey::new();
    let server = Server::start(&latchkey, &[]);
    let address = server.address.clone();
    let checker = Latchkey::new().with("LATCHKEY_LISTEN", &address);
    for arguments in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        let run = checker.run(arguments);
        assert_eq!(run.expect_success().stdout, "");
    }
    server.stop();
    let run = checker.run(&["healthcheck"]);
    run.expect_failure(&[&format!("http://{address}/healthz: ")]);
}
