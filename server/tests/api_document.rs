//! Runs the commands of `docs/api.md` against a server in their order, and compares the responses with the document.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;
use server::router::permissions;

use crate::support::{binary::Latchkey, server::Server};

/// The placeholder for any text.
const ANYTHING: char = '…';

/// A command and its documented response.
struct Step {
    command: String,
    response: String,
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for rest in document.split("```sh\n").skip(1) {
        let (command, rest) = rest.split_once("```\n").unwrap();
        let response = rest
            .strip_prefix("```http\n")
            .and_then(|rest| rest.split_once("```"))
            .unwrap_or_else(|| panic!("no response after {command}"));
        steps.push(Step {
            command: command.to_owned(),
            response: response.0.to_owned(),
        });
    }
    steps
}

/// Whether `actual` agrees with `documented`: a documented string that ends with … matches any string with that beginning, and members that
/// the document omits are ignored.
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

fn head_and_body(response: &str) -> (Vec<&str>, &str) {
    let (head, body) = response
        .split_once("\r\n\r\n")
        .or_else(|| response.split_once("\n\n"))
        .unwrap_or((response, ""));
    (head.lines().collect(), body)
}

#[track_caller]
fn check(step: &Step, actual: &str) {
    let (documented_head, documented_body) = head_and_body(&step.response);
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

#[test]
fn every_command_of_the_api_document_returns_its_documented_response() {
    let latchkey = Latchkey::new();
    latchkey.create_tenant("Acme", 10);
    let everything: Vec<_> = permissions().into_iter().chain(["orders:read"]).collect();
    latchkey.create_group("acme", "Everything", &everything);
    let orders = latchkey.create_group("acme", "Orders", &["orders:read"]);
    let key = latchkey.create_key("acme", "Everything", "Documentation");
    let server = Server::start(&latchkey, &[]);
    let mut variables = BTreeMap::from([
        ("LATCHKEY", format!("http://{}", server.address)),
        ("KEY", key.secret),
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
        let response = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && !response.is_empty(),
            "{}\n{}",
            step.command,
            String::from_utf8_lossy(&output.stderr)
        );
        check(&step, &response);
        // Later commands use the identifier and the secret of this response.
        let body: Value = serde_json::from_str(head_and_body(&response).1).unwrap_or_default();
        if let (Some(id), Some(secret)) = (body["id"].as_str(), body["secret"].as_str()) {
            variables.insert("ID", id.to_owned());
            variables.insert("SECRET", secret.to_owned());
        }
    }
}
