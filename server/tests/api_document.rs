//! `docs/api.md` tells the truth: its commands are run against the real server, one after the other, and answer what it says.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use server::router::permissions;

use crate::support::binary::Latchkey;

/// Stands for whatever there is.
const ANYTHING: char = '…';

/// A command and what it is to answer.
struct Step {
    command: String,
    answer: String,
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for rest in document.split("```sh\n").skip(1) {
        let (command, rest) = rest.split_once("```\n").unwrap();
        let answer = rest
            .strip_prefix("```http\n")
            .and_then(|rest| rest.split_once("```"))
            .unwrap_or_else(|| panic!("no answer after {command}"));
        steps.push(Step {
            command: command.to_owned(),
            answer: answer.0.to_owned(),
        });
    }
    steps
}

/// Whether `actual` is `documented`, in which a string with … stands for any that begins so, and what is not shown is not told.
fn agrees(documented: &Value, actual: &Value) -> bool {
    match (documented, actual) {
        (Value::Object(documented), Value::Object(actual)) => documented
            .iter()
            .all(|(name, value)| actual.get(name).is_some_and(|other| agrees(value, other))),
        (Value::Array(documented), Value::Array(actual)) => match documented.as_slice() {
            [Value::String(any)] if any.contains(ANYTHING) => true,
            _ => {
                documented.len() == actual.len()
                    && documented
                        .iter()
                        .zip(actual)
                        .all(|(one, other)| agrees(one, other))
            }
        },
        (Value::String(documented), Value::String(actual)) => is_shown_as(documented, actual),
        _ => documented == actual,
    }
}

fn is_shown_as(documented: &str, actual: &str) -> bool {
    match documented.split_once(ANYTHING) {
        Some((start, _)) => actual.starts_with(start),
        None => documented == actual,
    }
}

fn head_and_body(answer: &str) -> (Vec<&str>, &str) {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .or_else(|| answer.split_once("\n\n"))
        .unwrap_or((answer, ""));
    (head.lines().collect(), body)
}

#[track_caller]
fn check(step: &Step, actual: &str) {
    let (documented_head, documented_body) = head_and_body(&step.answer);
    let (head, body) = head_and_body(actual);
    assert_eq!(head[0], documented_head[0], "{}\n{actual}", step.command);
    for line in &documented_head[1..] {
        assert!(
            head.iter().any(|own| is_shown_as(line, own)),
            "{line} is not in\n{actual}"
        );
    }
    if !documented_body.trim().is_empty() {
        let documented = serde_json::from_str(documented_body)
            .unwrap_or_else(|error| panic!("{error}: {documented_body}"));
        let actual = serde_json::from_str(body).unwrap();
        assert!(agrees(&documented, &actual), "{}\n{actual:#}", step.command);
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(latchkey: &Latchkey) -> (Server, String) {
    let mut child = latchkey
        .command(&["serve"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended early");
        if let Some((_, rest)) = line.split_once("ready on ") {
            break rest.split('"').next().unwrap().to_owned();
        }
    };
    // Somebody has to read on, or it would wait for its own log.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    (Server(child), address)
}

#[test]
fn every_command_of_the_document_answers_what_it_says() {
    let latchkey = Latchkey::new();
    latchkey.answer(&["tenant", "create", "--name", "Acme"]);
    let group = |name: &str, permissions: &[&str]| {
        let mut arguments = vec!["group", "create", "--tenant", "acme", "--name", name];
        arguments.extend(["--type", "tenant_api_key"]);
        for permission in permissions {
            arguments.extend(["--permission", permission]);
        }
        latchkey.answer(&arguments)["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let everything: Vec<_> = permissions().into_iter().chain(["orders:read"]).collect();
    group("Everything", &everything);
    let orders = group("Orders", &["orders:read"]);
    let key = latchkey.answer(&[
        "key",
        "create",
        "--tenant",
        "acme",
        "--name",
        "Documentation",
        "--group",
        "Everything",
    ]);
    let (_server, address) = serve(&latchkey);
    let mut variables = BTreeMap::from([
        ("LATCHKEY", address),
        ("KEY", key["secret"].as_str().unwrap().to_owned()),
        ("GROUP", orders),
    ]);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let steps = steps(&fs::read_to_string(path).unwrap());
    assert!(steps.len() > 10);
    for step in steps {
        let output = Command::new("sh")
            .args(["-euc", &step.command])
            .envs(&variables)
            .output()
            .unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && !answer.is_empty(),
            "{}\n{}",
            step.command,
            String::from_utf8_lossy(&output.stderr)
        );
        check(&step, &answer);
        // What the document calls the identifier and the secret of the answer before.
        let body: Value = serde_json::from_str(head_and_body(&answer).1).unwrap_or_default();
        if let (Some(id), Some(secret)) = (body["id"].as_str(), body["secret"].as_str()) {
            variables.insert("ID", id.to_owned());
            variables.insert("SECRET", secret.to_owned());
        }
    }
}
