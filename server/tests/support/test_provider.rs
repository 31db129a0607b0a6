//! A provider of single sign-on that issues any token, also a wrong one: the adversary of the tests. `http/single_sign_on/real_providers.rs` uses
//! real ones.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Map, Value, json};

/// The identifier of Latchkey at the provider.
pub(crate) const CLIENT_ID: &str = "latchkey";
/// The secret of Latchkey at the provider.
pub(crate) const CLIENT_SECRET: &str = "s3cret-of-the-client";

/// Base64 for URLs without padding, as in tokens.
pub(crate) fn base64_url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs tokens.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pair: Arc<Ed25519KeyPair>,
}

impl SigningKey {
    pub(crate) fn new(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self {
            id: id.to_owned(),
            pair: Arc::new(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()),
        }
    }

    fn public(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.id,
            "x": base64_url(self.pair.public_key()),
        })
    }

    /// A token with this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let content = format!(
            "{}.{}",
            base64_url(header.to_string()),
            base64_url(claims.to_string())
        );
        let signature = self.pair.sign(content.as_bytes());
        format!("{content}.{}", base64_url(signature))
    }
}

/// The responses of the provider.
pub(crate) struct Behaviour {
    /// The keys that it publishes.
    pub(crate) keys: Vec<SigningKey>,
    /// The ID token of a code, once.
    pub(crate) tokens: HashMap<String, Value>,
    /// Members of the discovery document that replace the right ones.
    pub(crate) discovery: Map<String, Value>,
    /// The body of the userinfo endpoint; the discovery document names none without it.
    pub(crate) user_info: Option<Value>,
    /// The status of the token endpoint, if it is not 200.
    pub(crate) token_status: Option<u16>,
    /// Sends this many bytes instead of a response.
    pub(crate) flood: Option<usize>,
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    is_silent: AtomicBool,
    key_requests: AtomicUsize,
    token_requests: AtomicUsize,
    token_bodies: Mutex<Vec<String>>,
}

/// A provider on loopback.
pub(crate) struct TestProvider {
    pub(crate) issuer: String,
    shared: Arc<Shared>,
}

impl TestProvider {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Behaviour {
                keys: vec![SigningKey::new("first")],
                tokens: HashMap::new(),
                discovery: Map::new(),
                user_info: None,
                token_status: None,
                flood: None,
            }),
            is_silent: AtomicBool::new(false),
            key_requests: AtomicUsize::new(0),
            token_requests: AtomicUsize::new(0),
            token_bodies: Mutex::default(),
        });
        let provider = Self {
            issuer: issuer.clone(),
            shared: Arc::clone(&shared),
        };
        // The thread ends with the test program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (issuer, shared) = (issuer.clone(), Arc::clone(&shared));
                thread::spawn(move || respond(stream, &issuer, &shared));
            }
        });
        provider
    }

    pub(crate) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.shared.behaviour.lock().unwrap()
    }

    /// Whether it accepts connections and sends nothing.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.shared.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// The number of requests for its keys.
    pub(crate) fn key_requests(&self) -> usize {
        self.shared.key_requests.load(Ordering::SeqCst)
    }

    /// The number of requests for tokens.
    pub(crate) fn token_requests(&self) -> usize {
        self.shared.token_requests.load(Ordering::SeqCst)
    }

    /// The bodies of the requests for tokens.
    pub(crate) fn token_bodies(&self) -> Vec<String> {
        self.shared.token_bodies.lock().unwrap().clone()
    }

    pub(crate) fn key(&self) -> SigningKey {
        self.behaviour().keys[0].clone()
    }

    /// Makes a code for which the token endpoint sends this ID token.
    pub(crate) fn code_for(&self, token: impl Into<Value>) -> String {
        let code = format!("code-{}", uuid::Uuid::now_v7().simple());
        self.behaviour().tokens.insert(code.clone(), token.into());
        code
    }

    /// The claims of a right token for this nonce, with `changes`.
    pub(crate) fn claims(&self, nonce: &str, changes: &Value) -> Value {
        let now = server::clock::now().timestamp();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "person-1", "nonce": nonce,
            "iat": now, "exp": now + 300, "auth_time": now,
            "email": "mira@acme.example", "email_verified": true, "name": "Mira Albrecht",
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims
                    .as_object_mut()
                    .unwrap()
                    .insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// Makes a code for a right token for this nonce, with `changes` of its claims.
    pub(crate) fn code(&self, nonce: &str, changes: &Value) -> String {
        let key = self.key();
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": key.id });
        self.code_for(key.sign(&header, &self.claims(nonce, changes)))
    }
}

fn respond(stream: TcpStream, issuer: &str, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let Some((path, body)) = read_request(&mut reader) else {
            return;
        };
        if shared.is_silent.load(Ordering::SeqCst) {
            // Until the client closes the connection.
            let _ = reader.read(&mut [0]);
            return;
        }
        if let Some(length) = shared.behaviour.lock().unwrap().flood {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&vec![b' '; length]);
            return;
        }
        let (status, body) = response(&path, &body, issuer, shared);
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream
            .write_all(format!("{head}{body}").as_bytes())
            .is_err()
        {
            return;
        }
    }
}

/// The path and the body of a request; `None` at the end of the connection.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, String::from_utf8(body).ok()?))
}

fn response(path: &str, body: &str, issuer: &str, shared: &Shared) -> (u16, Value) {
    let mut behaviour = shared.behaviour.lock().unwrap();
    match path {
        "/.well-known/openid-configuration" => {
            let mut document = json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA", "RS256", "HS256", "none"],
            });
            if behaviour.user_info.is_some() {
                document["userinfo_endpoint"] = json!(format!("{issuer}/userinfo"));
            }
            for (name, value) in &behaviour.discovery {
                document[name] = value.clone();
            }
            (200, document)
        }
        "/keys" => {
            shared.key_requests.fetch_add(1, Ordering::SeqCst);
            let keys: Vec<_> = behaviour.keys.iter().map(SigningKey::public).collect();
            (200, json!({ "keys": keys }))
        }
        "/token" => {
            shared.token_requests.fetch_add(1, Ordering::SeqCst);
            shared.token_bodies.lock().unwrap().push(body.to_owned());
            if let Some(status) = behaviour.token_status {
                return (status, json!({ "error": "server_error" }));
            }
            let form: HashMap<_, _> = url::form_urlencoded::parse(body.as_bytes())
                .into_owned()
                .collect();
            match form
                .get("code")
                .and_then(|code| behaviour.tokens.remove(code))
            {
                Some(token) => {
                    let mut response = json!({
                        "access_token": "access-token-of-the-test", "token_type": "Bearer", "expires_in": 300,
                    });
                    if !token.is_null() {
                        response["id_token"] = token;
                    }
                    (200, response)
                }
                None => (400, json!({ "error": "invalid_grant" })),
            }
        }
        "/userinfo" => match &behaviour.user_info {
            Some(claims) => (200, claims.clone()),
            None => (404, json!({})),
        },
        _ => (404, json!({})),
    }
}

/// The PKCE challenge of a verifier (RFC 7636).
pub(crate) fn challenge_of(verifier: &str) -> String {
    base64_url(digest(&SHA256, verifier.as_bytes()))
}
