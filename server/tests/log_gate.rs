//! P53 and P61: the log of the binary at `RUST_LOG=trace` contains no secret, and one line for each event.

mod encodings;
mod single_sign_on;

use std::{
    io::{Read as _, Write as _},
    path::Path,
};

use serde_json::{Value, json};

use crate::support::{
    binary::Latchkey,
    client::{self, Response},
    server::Server,
    setup::{ADMIN, post_sign_in, text},
};
use encodings::{base64, contains, encodings_of};

const PASSWORD: &str = "violet canoe 7 orbit/lantern+é";
const WRONG_PASSWORD: &str = "amber kettle 3 willow/harbour+é";

/// Sends requests to a server.
struct Client(Server);

impl Client {
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        client::send(&self.0.address, method, path, headers, body)
    }

    fn sign_in(&self, password: &str) -> Response {
        post_sign_in(&self.0.address, ADMIN, password)
    }

    /// Calls a server function of the pages.
    fn call(&self, function: &str, cookie: &str, arguments: &Value) -> Response {
        let headers = [
            ("Content-Type", "application/json"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Cookie", cookie),
        ];
        let path = format!("/api/pages/{function}");
        self.ask("POST", &path, &headers, &arguments.to_string())
    }

    fn whoami(&self, secret: &str) -> u16 {
        self.ask("GET", "/api/v1/whoami", &[("X-API-Key", secret)], "")
            .status
    }
}

/// The `name=value` and the value of a cookie.
fn cookie_of(response: &Response, name: &str) -> (String, String) {
    let pair = response.cookie(name);
    let pair = pair.unwrap_or_else(|| panic!("{name} is not set by {}", response.head));
    let value = pair[name.len() + 1..].to_owned();
    (pair, value)
}

/// The identifier and secret in the response of a server function or of the API.
fn issued(response: &Response) -> (String, String) {
    assert!(matches!(response.status, 200 | 201), "{}", response.head);
    let start = response.body.find('{').unwrap();
    let end = response.body.rfind('}').unwrap();
    let key: Value = serde_json::from_str(&response.body[start..=end]).unwrap();
    let id = key["key"]["id"].as_str().or(key["id"].as_str());
    (id.unwrap().to_owned(), text(&key, "secret"))
}

fn files_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn p53_no_secret_is_in_the_log_or_in_the_database() {
    let latchkey = Latchkey::new()
        .with("RUST_LOG", "trace")
        .with("RUST_BACKTRACE", "1");
    let mut written = Vec::new();
    let mut run = |arguments: &[&str], input: &str| {
        let run = latchkey.run_with_input(arguments, input);
        run.expect_success();
        assert!(!run.stderr.is_empty(), "no log of {arguments:?} at trace");
        written.extend_from_slice(run.stderr.as_bytes());
        run.stdout
    };
    run(&["tenant", "create", "--name", "Acme"], "");
    let user = ["user", "create", "--tenant", "acme", "--email"];
    let admin = [ADMIN, "--role", "tenant_admin", "--password-stdin"];
    run(&[&user[..], &admin].concat(), &format!("{PASSWORD}\n"));
    let group = ["group", "create", "--tenant", "acme", "--name", "Orders"];
    let mut group = [&group[..], &["--type", "tenant_api_key", "--json"]].concat();
    for permission in [
        "orders:read",
        "api-keys:write",
        "api-keys:verify",
        "api-keys:rotate-self",
    ] {
        group.extend(["--permission", permission]);
    }
    let group: Value = serde_json::from_str(&run(&group, "")).unwrap();
    let key = ["key", "create", "--tenant", "acme", "--group", "Orders"];
    let printed = run(&[&key[..], &["--name", "By command"]].concat(), "");
    let by_command = printed
        .split_whitespace()
        .find(|word| word.starts_with("lk_"))
        .unwrap()
        .to_owned();
    let member = ["noor@acme.example", "--role", "member", "--json"];
    let member: Value = serde_json::from_str(&run(&[&user[..], &member].concat(), "")).unwrap();
    let generated_password = text(&member, "password");

    let mut invite = latchkey.command(&[
        "user",
        "invite",
        "--tenant",
        "acme",
        "--email",
        "sanne@acme.example",
        "--role",
        "member",
    ]);
    let invited = invite
        .env("LATCHKEY_PUBLIC_URL", "http://keys.example")
        .output()
        .unwrap();
    let link = String::from_utf8(invited.stdout).unwrap();
    let (_, by_invite) = link.trim_end().rsplit_once('/').expect("a token");
    let invitation = by_invite.to_owned();

    let client = Client(Server::start(&latchkey, &[]));
    assert_eq!(client.whoami(&by_command), 200);
    assert_eq!(client.sign_in(WRONG_PASSWORD).status, 422);
    let signed_in = client.sign_in(PASSWORD);
    assert_eq!(signed_in.status, 303, "{}", signed_in.head);
    let (cookie, session) = cookie_of(&signed_in, "latchkey_session");
    let (_, device) = cookie_of(&signed_in, "latchkey_device");
    let form = json!({
        "tenant": null,
        "form": {
            "name": "By page", "description": "", "authorization_group_id": group["id"],
            "expires_on": "", "ip_allowlist": "",
        },
    });
    let (id, first) = issued(&client.call("generate_api_key", &cookie, &form));
    assert_eq!(client.whoami(&first), 200);
    // P07: places to which users send keys by mistake.
    let form_type = ("Content-Type", "application/x-www-form-urlencoded");
    let basic = format!("Basic {}", base64(format!("{first}:").as_bytes()));
    let mistakes = [
        client.ask("GET", &format!("/api/v1/whoami?api_key={first}"), &[], ""),
        client.ask(
            "GET",
            "/api/v1/whoami",
            &[("Cookie", &format!("X-API-Key={first}"))],
            "",
        ),
        client.ask(
            "GET",
            "/api/v1/whoami",
            &[form_type],
            &format!("api_key={first}"),
        ),
        client.ask("GET", "/api/v1/whoami", &[("Authorization", &basic)], ""),
        client.ask(
            "GET",
            "/api/v1/whoami",
            &[("Authorization", &format!("Bearer {first}"))],
            "",
        ),
    ];
    assert!(mistakes.iter().all(|response| response.status == 401));
    assert_eq!(
        client
            .ask("GET", &format!("/api/v1/{first}"), &[], "")
            .status,
        404
    );
    assert_eq!(
        client
            .ask("GET", &format!("/{first}?{session}"), &[], "")
            .status,
        404
    );
    assert_eq!(
        client
            .ask("POST", "/healthz", &[("X-API-Key", &first)], &first)
            .status,
        405
    );
    for path in ["/tenant-api-keys", "/tenant-api-keys/new", "/account"] {
        assert_eq!(
            client.ask("GET", path, &[("Cookie", &cookie)], "").status,
            200,
            "{path}"
        );
    }
    let same_origin = ("Sec-Fetch-Site", "same-origin");
    let path = format!("/invitation/{invitation}");
    let strange = format!("/sign-in-link/{invitation}?{invitation}");
    assert_eq!(client.ask("GET", &path, &[], "").status, 200);
    assert_eq!(client.ask("GET", &strange, &[], "").status, 404);
    let body = "name=Sanne&password=violet+canoe+8+orbit%2Flantern";
    for status in [200, 410] {
        let response = client.ask("POST", &path, &[form_type, same_origin], body);
        assert_eq!(response.status, status, "{}", response.head);
    }
    let rotate = json!({ "tenant": null, "id": id, "expires_on": "" });
    let (_, second) = issued(&client.call("rotate_api_key", &cookie, &rotate));
    assert_eq!((client.whoami(&first), client.whoami(&second)), (401, 200));
    let revoke = json!({ "tenant": null, "id": id });
    assert_eq!(client.call("revoke_api_key", &cookie, &revoke).status, 200);
    assert_eq!(client.whoami(&second), 401);
    // The JSON API: secrets in responses, in bodies and in requests of gateways.
    let with = |secret: &str, method: &str, path: &str, body: &Value| {
        let headers = [("X-API-Key", secret), ("Content-Type", "application/json")];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        client.ask(method, path, &headers, &body)
    };
    let new = json!({ "name": "By API", "authorization_group_id": group["id"] });
    let (id, by_api) = issued(&with(&by_command, "POST", "/api/v1/api-keys", &new));
    let rotated = with(
        &by_command,
        "POST",
        &format!("/api/v1/api-keys/{id}/rotate"),
        &json!({}),
    );
    let (_, rotated_by_api) = issued(&rotated);
    let path = "/api/v1/whoami/rotate";
    let (_, own) = issued(&with(&rotated_by_api, "POST", path, &Value::Null));
    let asked = with(
        &by_command,
        "POST",
        "/api/v1/verify",
        &json!({ "secret": own }),
    );
    assert!(asked.body.contains("\"valid\":true"), "{}", asked.body);
    let mistakes = [
        json!({ "secret": [own] }),
        json!({ "secret": by_api, "ip": own, "permission": own, (own.as_str()): own }),
        json!(own),
    ];
    for mistake in mistakes {
        let response = with(&by_command, "POST", "/api/v1/verify", &mistake);
        assert_eq!(response.status, 422, "{}", response.body);
    }
    for path in [
        format!("/api/v1/forward-auth/for/-/-/{own}?key={own}"),
        "/api/v1/forward-auth".to_owned(),
    ] {
        assert_eq!(with(&own, "POST", &path, &Value::Null).status, 200);
    }
    let out = [
        ("Cookie", cookie.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    assert_eq!(client.ask("POST", "/sign-out", &out, "").status, 303);
    // While the server runs, the write-ahead log contains the newest rows.
    let mut places = files_in(latchkey.folder());
    let log = client.0.stop();
    places.extend(files_in(latchkey.folder()));

    // The log is not empty: it contains requests with their routes, and statements of the database.
    for entry in ["answered", "/api/v1/whoami", "/sign-in", "sqlx::query"] {
        assert!(contains(&log, entry), "{entry} is not in the log");
    }
    written.extend_from_slice(&log);
    places.push(("the log".to_owned(), written));
    let secrets = [
        ("the password", PASSWORD.to_owned()),
        ("a wrong password", WRONG_PASSWORD.to_owned()),
        ("the session's token", session),
        ("the device's token", device),
        ("the secret of the key made by command", by_command),
        ("the first secret", first),
        ("the second secret", second),
        ("the secret of the key made by the API", by_api),
        ("the secret that the API rotated to", rotated_by_api),
        ("the secret of the key that rotated itself", own),
        ("a generated password", generated_password),
        ("the token of an invitation", invitation),
        (
            "the password of an invited person",
            "violet canoe 8 orbit/lantern".to_owned(),
        ),
    ];
    assert_no_secret(&secrets, &places);
}

/// Asserts that no place contains a secret in any encoding.
fn assert_no_secret(secrets: &[(&str, String)], places: &[(String, Vec<u8>)]) {
    for (what, secret) in secrets {
        for (encoding, text) in encodings_of(secret) {
            for (place, content) in places {
                if let Some(at) = content
                    .windows(text.len())
                    .position(|window| window == text.as_bytes())
                {
                    let around = &content[at.saturating_sub(300)..at];
                    panic!(
                        "{what}, {encoding}, is in {place}, after: {}",
                        String::from_utf8_lossy(around)
                    );
                }
            }
        }
    }
}

#[test]
fn p61_client_input_adds_no_line_to_the_log() {
    let latchkey = Latchkey::new().with("RUST_LOG", "trace");
    latchkey.create_tenant("Acme", 10);
    let client = Client(Server::start(&latchkey, &[]));
    let mut sent = Vec::new();
    // Heads that hyper accepts, with bytes above ASCII, tabs and percent-encoded paths, and some that it refuses.
    for head in [
        &b"GET /api/v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: lk_\xff\xfe\x9b31m\tx\r\n\r\n"[..],
        b"GET /%1b%5b31m%0d%0a%7b%22level%22:%22ERROR%22%7d HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: \x9b31m\xc2\x85{\"level\":\"ERROR\"}\r\n\r\n",
        b"GET /api/v1/whoami?%0d%0ainjected HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: \xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: \x1b[31m\r\n\r\n",
        b"\x1b[31mGET / HTTP/1.1\r\n\r\n",
    ] {
        let mut connection = client.0.connect();
        connection.write_all(head).unwrap();
        let mut response = Vec::new();
        connection.read_to_end(&mut response).unwrap();
        sent.push(String::from_utf8_lossy(&response[..response.len().min(12)]).into_owned());
    }
    assert!(sent[0].starts_with("HTTP/1.1 401"), "{sent:?}");
    let name = json!({ "email": "\u{1b}[31m\r\nx", "password": "\r\n{}" });
    client.call("open_sign_in", "\t", &name);
    let log = client.0.stop();
    let mut lines = 0;
    for line in log
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let text = String::from_utf8(line.to_vec()).expect("UTF-8");
        let entry: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(
            entry["level"].is_string() && entry["timestamp"].is_string(),
            "{text}"
        );
        assert!(!text.contains(char::is_control), "{text:?}");
        assert_ne!(entry["level"], "ERROR", "{text}");
        lines += 1;
    }
    assert!(lines > 10, "the log has {lines} lines");
}
