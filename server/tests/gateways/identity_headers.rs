//! Identity headers that a client forges, in all spellings.

use std::{fs, net::TcpListener};

use serde_json::Value;

use super::{
    fixture::{CLIENT, GatewayFixture},
    program::{self, Program},
};
use crate::support::setup::text;

/// All spellings of an identity header: each separator as any of three characters, in several letter cases.
fn spellings(name: &str) -> Vec<String> {
    let words: Vec<_> = name.split('-').collect();
    let mut spelled = vec![words[0].to_owned()];
    for word in &words[1..] {
        spelled = (spelled.iter())
            .flat_map(|start| ['-', '_', '.'].map(|separator| format!("{start}{separator}{word}")))
            .collect();
    }
    let alternating = |text: &str, first: usize| -> String {
        let letters = text.chars().enumerate().map(|(at, letter)| {
            if at % 2 == first {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        });
        letters.collect()
    };
    let cases = |text: String| {
        [
            text.to_uppercase(),
            alternating(&text, 0),
            alternating(&text, 1),
            text,
        ]
    };
    spelled.into_iter().flat_map(cases).collect()
}

/// A service that reads headers by CGI's rule (RFC 3875, section 4.1.18), as Python's reference server does.
const SERVICE: &str = r#"
import json, sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass

def service(environ, start_response):
    body = json.dumps({name: value for name, value in environ.items() if name.startswith("HTTP_")}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

make_server("127.0.0.1", int(sys.argv[1]), service, handler_class=Quiet).serve_forever()
"#;

/// Asserts that identity headers of a client do not reach the service, in any spelling.
pub(crate) fn check(start: fn(&GatewayFixture) -> Option<Program>) {
    /// The number of headers in a request; every proxy accepts these in addition to its own.
    const BATCH: usize = 40;
    let mut fixture = GatewayFixture::start();
    let key = fixture.key("acme", "Invoices", "Spelled", &[]);
    fixture.latchkey.run_json(&[
        "group",
        "set-permissions",
        "--tenant",
        "acme",
        "--group",
        "Invoices",
        "--permission",
        "orders:read",
    ]);
    let secret = text(&key, "secret");
    let own: [(&str, String); 5] = [
        ("x-tenant-id", text(&fixture.tenant, "id")),
        ("x-tenant-slug", "acme".to_owned()),
        ("x-api-key-id", text(&key, "id")),
        ("x-api-key-name", "Spelled".to_owned()),
        ("x-permissions", "orders:read".to_owned()),
    ];
    let spelled: Vec<_> = own.iter().flat_map(|(name, _)| spellings(name)).collect();
    assert_eq!(spelled.len(), (9 + 9 + 27 + 27 + 3) * 4);

    // First, a service that treats every other character as `_`.
    let Some(gateway) = start(&fixture) else {
        return;
    };
    let as_cgi = |name: &str| -> String {
        let letters = name.chars().map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' => letter.to_ascii_uppercase(),
            _ => '_',
        });
        letters.collect()
    };
    for batch in spelled.chunks(BATCH) {
        let mut headers = vec![("X-API-Key", secret.as_str())];
        headers.extend(batch.iter().map(|name| (name.as_str(), "forged")));
        let response = fixture.ask(CLIENT, "GET /orders/7", &headers, "");
        // A proxy may refuse such a request.
        if response.status == 400 {
            fixture.nothing_seen("a malformed request");
            continue;
        }
        assert_eq!(response.status, 200, "{response:?}");
        let seen = fixture.only_seen();
        for (name, value) in &own {
            let read: Vec<_> = (seen.headers.iter())
                .filter(|(seen, _)| as_cgi(seen) == as_cgi(name))
                .map(|(_, value)| value)
                .collect();
            assert_eq!(read, [value], "{name} of {:#?}", seen.headers);
        }
        assert!(!format!("{seen:?}").contains("forged"), "{seen:#?}");
    }
    gateway.stop();

    // Then, a service with a real CGI parser.
    let Some(python) = program::find("python3") else {
        return;
    };
    let script = fixture.folder().join("service.py");
    fs::write(&script, SERVICE).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let service = program::start(
        fixture.folder(),
        port,
        &python.file_name().unwrap().to_string_lossy(),
        &[script.as_ref(), port.port().to_string().as_ref()],
        &[],
    );
    let _service = service.expect("python3 was found above");
    fixture.addresses[2].1 = port.to_string();
    let Some(_gateway) = start(&fixture) else {
        return;
    };
    for batch in spelled.chunks(BATCH) {
        let mut headers = vec![("X-API-Key", secret.as_str())];
        headers.extend(batch.iter().map(|name| (name.as_str(), "forged")));
        let response = fixture.ask(CLIENT, "GET /orders/7", &headers, "");
        if response.status == 400 {
            continue;
        }
        let body = response.body.lines().find(|line| line.starts_with('{'));
        let read: Value = serde_json::from_str(body.unwrap_or(&response.body)).unwrap();
        for (name, value) in &own {
            assert_eq!(
                &read[format!("HTTP_{}", as_cgi(name))],
                value,
                "{name}: {read:#}"
            );
        }
        assert!(!response.body.contains("forged"), "{read:#}");
    }
}
