//! P53: the real binary at `RUST_LOG=trace`, and no secret in what it writes: neither its log nor its database.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::turns::wait_for_turn;

const ADMIN: &str = "mira@acme.example";
const PASSWORD: &str = "violet canoe 7 orbit/lantern+é";
const WRONG_PASSWORD: &str = "amber kettle 3 willow/harbour+é";

/// The binary beside a database of its own, everything that it writes kept.
struct Installation {
    folder: TempDir,
    written: Vec<u8>,
}

impl Installation {
    fn new() -> Self {
        wait_for_turn();
        Self {
            folder: tempfile::tempdir().unwrap(),
            written: Vec::new(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let database = self.folder.path().join("latchkey.db");
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env(
                "DATABASE_URL",
                format!("sqlite://{}?mode=rwc", database.display()),
            )
            .env("LATCHKEY_LISTEN", "127.0.0.1:0")
            .env("LATCHKEY_DRAIN_SECONDS", "0")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end. Its standard output is its answer; its log is kept.
    fn run(&mut self, arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(arguments).spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {log}");
        assert!(!log.is_empty(), "{arguments:?} says nothing at trace");
        self.written.extend_from_slice(&output.stderr);
        output
    }

    /// Starts the server and waits until it is ready.
    fn serve(&self) -> Server {
        let mut child = self.command(&["serve"]).spawn().unwrap();
        let (ready, address) = mpsc::channel();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = thread::spawn(move || {
            let mut written = Vec::new();
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).unwrap() > 0 {
                let text = String::from_utf8_lossy(&line);
                if let Some((_, rest)) = text.split_once("ready on http://") {
                    let end = rest.find(|letter: char| !matches!(letter, '0'..='9' | '.' | ':'));
                    let _ = ready.send(rest[..end.unwrap_or(rest.len())].to_owned());
                }
                written.append(&mut line);
            }
            written
        });
        let address = address
            .recv_timeout(Duration::from_secs(30))
            .expect("the server is ready within 30 seconds");
        Server {
            child,
            log,
            address,
        }
    }
}

struct Server {
    child: Child,
    log: JoinHandle<Vec<u8>>,
    address: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    /// One request over a connection of its own, as `curl` would send it.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn sign_in(&self, password: &str) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("email", ADMIN)
            .append_pair("password", password)
            .finish();
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        self.ask("POST", "/sign-in", &headers, &form)
    }

    fn call(&self, function: &str, cookie: &str, arguments: &Value) -> Answer {
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

    /// Ends the server as an operator does, and returns what it wrote.
    fn stop(mut self) -> Vec<u8> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.child.wait().unwrap().success());
        let mut written = self.log.join().unwrap();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut written)
            .unwrap();
        written
    }
}

impl Answer {
    /// The `name=value` and the bare value of a cookie that this sets.
    fn cookie(&self, name: &str) -> (String, String) {
        let start = format!("{name}=");
        let pair = (self.head.lines())
            .filter_map(|line| line.split_once(": "))
            .filter(|(header, _)| header.eq_ignore_ascii_case("set-cookie"))
            .find(|(_, value)| value.starts_with(&start))
            .and_then(|(_, value)| value.split(';').next())
            .unwrap_or_else(|| panic!("{name} is not set by {}", self.head));
        (pair.to_owned(), pair[start.len()..].to_owned())
    }

    /// The key and secret in the answer of a server function or of the API.
    fn issued(&self) -> (String, String) {
        assert!(matches!(self.status, 200 | 201), "{}", self.body);
        let start = self.body.find('{').unwrap();
        let end = self.body.rfind('}').unwrap();
        let answer: Value = serde_json::from_str(&self.body[start..=end]).unwrap();
        let id = answer["key"]["id"].as_str().or(answer["id"].as_str());
        (
            id.unwrap().to_owned(),
            answer["secret"].as_str().unwrap().to_owned(),
        )
    }
}

/// A secret in every form in which something might have written it.
fn forms_of(secret: &str) -> Vec<(&'static str, String)> {
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let escaped: String = secret
        .bytes()
        .map(|byte| format!("\\x{byte:02x}"))
        .collect();
    let encoded = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    let mut forms = vec![
        ("plain", secret.to_owned()),
        ("hexadecimal", hexadecimal.clone()),
        ("upper-case hexadecimal", hexadecimal.to_uppercase()),
        ("escaped", escaped),
        ("form-encoded", encoded),
        ("percent-encoded", percent.to_string()),
        (
            "a list of bytes",
            format!("{:?}", secret.as_bytes())
                .trim_matches(['[', ']'])
                .to_owned(),
        ),
        ("quoted", format!("{secret:?}").trim_matches('"').to_owned()),
    ];
    // What stands before it shifts base64 by up to two bytes; what is left out at both ends depends on the neighbours.
    for shift in 0..3 {
        let shifted = format!("{}{secret}", "\0".repeat(shift));
        let whole = base64(shifted.as_bytes());
        let inner = &whole[if shift == 0 { 0 } else { 4 }..whole.len() - 4];
        forms.push(("base64", inner.to_owned()));
        forms.push(("base64 for URLs", inner.replace('+', "-").replace('/', "_")));
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, index| {
            number << 8 | u32::from(chunk.get(index).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            let padding = digit > chunk.len();
            let value = (number >> (18 - 6 * digit)) & 63;
            text.push(if padding {
                '='
            } else {
                DIGITS[value as usize] as char
            });
        }
    }
    text
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
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
fn the_search_finds_every_form() {
    assert_eq!(base64(b"lk_\xff"), "bGtf/w==");
    let secret = "lk_0dawgh/é";
    for (form, text) in forms_of(secret) {
        assert!(contains(format!("x {text} y").as_bytes(), &text), "{form}");
        assert!(
            text.len() >= 8,
            "{form} of {secret} is {text}: too short to mean anything"
        );
    }
    let shifted = base64(format!("k={secret};").as_bytes());
    assert!(
        forms_of(secret)
            .iter()
            .any(|(_, form)| shifted.contains(form)),
        "{shifted}"
    );
}

#[test]
fn p53_no_secret_is_in_the_log_or_in_the_database() {
    let mut installation = Installation::new();
    installation.run(&["tenant", "create", "--name", "Acme"], "");
    let user = [
        "user",
        "create",
        "--email",
        ADMIN,
        "--role",
        "tenant_admin",
        "--tenant",
        "acme",
        "--password-stdin",
    ];
    installation.run(&user, &format!("{PASSWORD}\n"));
    let group = [
        "--json",
        "group",
        "create",
        "--tenant",
        "acme",
        "--name",
        "Orders",
        "--type",
        "tenant_api_key",
        "--permission",
        "orders:read",
        "--permission",
        "api-keys:write",
        "--permission",
        "api-keys:verify",
        "--permission",
        "api-keys:rotate-self",
    ];
    let group: Value = serde_json::from_slice(&installation.run(&group, "").stdout).unwrap();
    let made = [
        "key",
        "create",
        "--tenant",
        "acme",
        "--name",
        "By command",
        "--group",
        "Orders",
    ];
    let made = String::from_utf8(installation.run(&made, "").stdout).unwrap();
    let by_command = made
        .split_whitespace()
        .find(|word| word.starts_with("lk_"))
        .unwrap()
        .to_owned();
    let generated_password = {
        let made = [
            "--json",
            "user",
            "create",
            "--email",
            "noor@acme.example",
            "--role",
            "member",
            "--tenant",
            "acme",
        ];
        let made: Value = serde_json::from_slice(&installation.run(&made, "").stdout).unwrap();
        made["password"].as_str().map(str::to_owned)
    };

    let server = installation.serve();
    assert_eq!(server.whoami(&by_command), 200);
    assert_eq!(server.sign_in(WRONG_PASSWORD).status, 422);
    let signed_in = server.sign_in(PASSWORD);
    assert_eq!(signed_in.status, 303, "{}", signed_in.head);
    let (cookie, session) = signed_in.cookie("latchkey_session");
    let (_, device) = signed_in.cookie("latchkey_device");
    let form = json!({
        "tenant": null,
        "form": {
            "name": "By page", "description": "", "authorization_group_id": group["id"],
            "expires_on": "", "ip_allowlist": "",
        },
    });
    let (id, first) = server.call("generate_api_key", &cookie, &form).issued();
    assert_eq!(server.whoami(&first), 200);
    // P07: where people put keys by mistake.
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let basic = format!("Basic {}", base64(format!("{first}:").as_bytes()));
    let mistakes = [
        server.ask("GET", &format!("/api/v1/whoami?api_key={first}"), &[], ""),
        server.ask(
            "GET",
            "/api/v1/whoami",
            &[("Cookie", &format!("X-API-Key={first}"))],
            "",
        ),
        server.ask(
            "GET",
            "/api/v1/whoami",
            &[form],
            &format!("api_key={first}"),
        ),
        server.ask("GET", "/api/v1/whoami", &[("Authorization", &basic)], ""),
        server.ask(
            "GET",
            "/api/v1/whoami",
            &[("Authorization", &format!("Bearer {first}"))],
            "",
        ),
    ];
    assert!(mistakes.iter().all(|answer| answer.status == 401));
    assert_eq!(
        server
            .ask("GET", &format!("/api/v1/{first}"), &[], "")
            .status,
        404
    );
    assert_eq!(
        server
            .ask("GET", &format!("/{first}?{session}"), &[], "")
            .status,
        404
    );
    assert_eq!(
        server
            .ask("POST", "/healthz", &[("X-API-Key", &first)], &first)
            .status,
        405
    );
    for path in ["/tenant-api-keys", "/tenant-api-keys/new", "/account"] {
        assert_eq!(
            server.ask("GET", path, &[("Cookie", &cookie)], "").status,
            200,
            "{path}"
        );
    }
    let rotate = json!({ "tenant": null, "id": id, "expires_on": "" });
    let (_, second) = server.call("rotate_api_key", &cookie, &rotate).issued();
    assert_eq!((server.whoami(&first), server.whoami(&second)), (401, 200));
    let revoke = json!({ "tenant": null, "id": id });
    assert_eq!(server.call("revoke_api_key", &cookie, &revoke).status, 200);
    assert_eq!(server.whoami(&second), 401);
    // The JSON API: secrets in answers, in bodies, and where gateways bring them.
    let with = |secret: &str, method: &str, path: &str, body: &Value| {
        let headers = [("X-API-Key", secret), ("Content-Type", "application/json")];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        server.ask(method, path, &headers, &body)
    };
    let new = json!({ "name": "By API", "authorization_group_id": group["id"] });
    let (id, by_api) = with(&by_command, "POST", "/api/v1/api-keys", &new).issued();
    let rotated = with(
        &by_command,
        "POST",
        &format!("/api/v1/api-keys/{id}/rotate"),
        &json!({}),
    );
    let (_, rotated_by_api) = rotated.issued();
    let (_, own) = with(
        &rotated_by_api,
        "POST",
        "/api/v1/whoami/rotate",
        &Value::Null,
    )
    .issued();
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
        let answer = with(&by_command, "POST", "/api/v1/verify", &mistake);
        assert_eq!(answer.status, 422, "{}", answer.body);
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
    assert_eq!(server.ask("POST", "/sign-out", &out, "").status, 303);
    // While the server runs the newest of it stands in the write-ahead log.
    let mut places = files_in(installation.folder.path());
    let log = server.stop();
    places.extend(files_in(installation.folder.path()));

    // The gate has something to look at: requests with their routes, and the statements of the database.
    for sign in ["answered", "/api/v1/whoami", "/sign-in", "sqlx::query"] {
        assert!(contains(&log, sign), "{sign} is not in the log");
    }
    installation.written.extend_from_slice(&log);
    places.push(("the log".to_owned(), installation.written));
    let mut secrets = vec![
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
    ];
    secrets.extend(generated_password.map(|password| ("a generated password", password)));
    for (what, secret) in secrets {
        for (form, text) in forms_of(&secret) {
            for (place, content) in &places {
                if let Some(at) = content
                    .windows(text.len())
                    .position(|window| window == text.as_bytes())
                {
                    let around = &content[at.saturating_sub(300)..at];
                    panic!(
                        "{what}, {form}, is in {place}, after: {}",
                        String::from_utf8_lossy(around)
                    );
                }
            }
        }
    }
}

#[test]
fn p61_whatever_a_client_sends_stays_within_one_line_of_the_log() {
    let mut installation = Installation::new();
    let tenant = ["tenant", "create", "--name", "Acme", "--slug", "acme"];
    installation.run(&tenant, "");
    let server = installation.serve();
    let mut sent = Vec::new();
    // What hyper lets through of a head: bytes above ASCII, tabs; and paths with everything percent-encoded.
    for head in [
        &b"GET /api/v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: lk_\xff\xfe\x9b31m\tx\r\n\r\n"[..],
        b"GET /%1b%5b31m%0d%0a%7b%22level%22:%22ERROR%22%7d HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: \x9b31m\xc2\x85{\"level\":\"ERROR\"}\r\n\r\n",
        b"GET /api/v1/whoami?%0d%0ainjected HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: \xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: \x1b[31m\r\n\r\n",
        b"\x1b[31mGET / HTTP/1.1\r\n\r\n",
    ] {
        let mut connection = TcpStream::connect(&server.address).unwrap();
        connection.write_all(head).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        sent.push(String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned());
    }
    assert!(sent[0].starts_with("HTTP/1.1 401"), "{sent:?}");
    let name = json!({ "email": "\u{1b}[31m\r\nx", "password": "\r\n{}" });
    server.call("open_sign_in", "\t", &name);
    let log = server.stop();
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
    assert!(lines > 10, "there is a log: {lines}");
}
