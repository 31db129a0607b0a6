//! A tenant or client that floods the server does not slow the others down.
//!
//! `TEST_ROUNDS` enlarges the floods to the size in the guarantees and asserts their durations, which are always printed.

mod flood;

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use crate::support::{
    binary::Latchkey,
    client::{Connection, api_request, request},
    environment::is_soak,
    postgres::PostgresDatabase,
    server::Server,
    setup::{PASSWORD, sign_in, text},
    sql,
    wait::{PATIENCE, wait_until},
};
use flood::{Flood, Responses};

/// A tenant with a key that may read and change keys, and an administrator.
struct Tenant {
    slug: &'static str,
    group: String,
    secret: String,
    email: String,
}

impl Tenant {
    fn new(latchkey: &Latchkey, slug: &'static str) -> Self {
        latchkey.create_tenant(slug, 1_000);
        let permissions = ["api-keys:write", "api-keys:read"];
        let email = format!("ada@{slug}.example");
        latchkey.create_administrator(slug, &email);
        Self {
            slug,
            group: latchkey.create_group(slug, "Managers", &permissions),
            secret: latchkey.create_key(slug, "Managers", "Manager").secret,
            email,
        }
    }

    /// Creates keys that no cache contains; returns their secrets.
    fn create_keys(&self, address: &str, number: usize) -> Vec<String> {
        let mut connection = Connection::open(address);
        (0..number)
            .map(|_| {
                let body = format!(
                    r#"{{"name":"Cold","authorization_group_id":"{}"}}"#,
                    self.group
                );
                let request = api_request(&self.secret, "POST", "/api-keys", &body);
                let (status, body) = connection.send(&request).unwrap();
                assert_eq!(status, 201, "{body}");
                let key: serde_json::Value = serde_json::from_str(&body).unwrap();
                text(&key, "secret")
            })
            .collect()
    }

    /// Inserts a thousand revoked keys with descriptions of maximum length, which make searches slow.
    fn fill(&self, database: &str) {
        let slug = self.slug;
        let sql = if database.starts_with("sqlite") {
            format!(
                "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000),
                long (text) AS (SELECT replace(hex(zeroblob(500)), '0', '.'))
                INSERT INTO api_keys (id, tenant_id, group_id, group_name_lower, name, name_lower, description,
                    description_lower, hint, secret_digest, ip_allowlist, created_by_kind, created_by_name, created_at,
                    updated_at, revoked_at, version)
                SELECT unhex(printf('%012x70008000%012x', 1760000000000 + n, n)), tenants.id, grouped.id, 'managers',
                    'aa', 'aa', long.text, long.text, 'lk_…0000', randomblob(32), '', 'cli', 'latchkey',
                    '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00', 1
                FROM numbers, long, tenants JOIN authorization_groups AS grouped ON grouped.tenant_id = tenants.id
                WHERE tenants.slug = '{slug}' AND grouped.name = 'Managers'"
            )
        } else {
            format!(
                "INSERT INTO api_keys (id, tenant_id, group_id, group_name_lower, name, name_lower, description,
                    description_lower, hint, secret_digest, ip_allowlist, created_by_kind, created_by_name, created_at,
                    updated_at, revoked_at, version)
                SELECT gen_random_uuid(), tenants.id, grouped.id, 'managers', 'aa', 'aa', repeat('.', 1000),
                    repeat('.', 1000), 'lk_…0000', sha256(n::text::bytea), '', 'cli', 'latchkey', now(), now(), now(), 1
                FROM generate_series(1, 1000) AS n, tenants
                    JOIN authorization_groups AS grouped ON grouped.tenant_id = tenants.id
                WHERE tenants.slug = '{slug}' AND grouped.name = 'Managers'"
            )
        };
        sql::execute(database, &sql).unwrap();
    }
}

/// A search that compares its text at every character of every description of [`Tenant::fill`], none of which contains it. It has no
/// word as long as a secret, which the page would shorten.
fn slow_search() -> String {
    format!("{}b", ".".repeat(99))
}

/// Runs the test on SQLite, and on PostgreSQL if a test server is configured.
fn on_every_engine(test: impl Fn(Latchkey, &str)) {
    let latchkey = Latchkey::new();
    let file = latchkey.folder().join("latchkey.db");
    test(latchkey, &format!("sqlite://{}?mode=rwc", file.display()));
    if let Some(postgres) = PostgresDatabase::create() {
        let url = postgres.url();
        test(Latchkey::new().with("DATABASE_URL", &url), &url);
    }
}

/// Responses to other clients during a flood.
struct Others {
    cold_verifications: Responses,
    lists: Responses,
    sign_ins: Responses,
    readiness: Responses,
}

impl Others {
    fn measure(server: &Server, tenant: &Tenant, cold: &[String]) -> Self {
        let address = &server.address;
        let mut others = Self {
            cold_verifications: Responses::new("verifications of uncached keys"),
            lists: Responses::new("lists"),
            sign_ins: Responses::new("sign-ins"),
            readiness: Responses::new("/readyz"),
        };
        let ready = || {
            let request = request("GET", "/readyz", "", "");
            Connection::open(address)
                .send(&request)
                .map(|(status, _)| status)
        };
        let status = |path: &str, secret: &str| {
            let request = api_request(secret, "GET", path, "");
            Connection::open(address)
                .send(&request)
                .map(|(status, _)| status)
        };
        for (number, secret) in cold.iter().enumerate() {
            others.cold_verifications.time(|| status("/whoami", secret));
            if number % 8 == 0 {
                others.readiness.time(ready);
                others.lists.time(|| status("/api-keys", &tenant.secret));
            }
            if number % 16 == 0 {
                others
                    .sign_ins
                    .time(|| Some(sign_in(address, &tenant.email, PASSWORD).0));
            }
        }
        others
    }

    fn print(&self, what: &str) {
        for responses in [
            &self.cold_verifications,
            &self.lists,
            &self.sign_ins,
            &self.readiness,
        ] {
            eprintln!("{what}: {responses}");
        }
    }
}

#[test]
fn p72_a_flood_of_searches_by_one_tenant_fails_no_request_of_another() {
    let (connections, cold) = if is_soak() { (128, 200) } else { (32, 48) };
    on_every_engine(|latchkey, database| {
        let flooding = Tenant::new(&latchkey, "acme");
        let other = Tenant::new(&latchkey, "globex");
        flooding.fill(database);
        let server = Server::start(&latchkey, &[]);
        let engine = database.split(':').next().unwrap();
        let cold = other.create_keys(&server.address, 2 * cold);
        let (quiet, cold) = cold.split_at(cold.len() / 2);
        Others::measure(&server, &other, quiet).print(&format!("{engine} quiet"));

        let (status, cookie) = sign_in(&server.address, &flooding.email, PASSWORD);
        assert_eq!(status, 303);
        let search = slow_search();
        let by_key = format!(
            "GET /api/v1/api-keys?q={search} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
            flooding.secret
        );
        let by_page = format!(
            "GET /tenant-api-keys?q={search} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncookie: {}\r\n\r\n",
            cookie.unwrap()
        );
        let requests = [&by_key, &by_key, &by_key, &by_page].map(String::as_str);
        let flood = Flood::start(&server.address, connections, &requests);
        wait_until(|| flood.responses() as usize >= connections);
        let others = Others::measure(&server, &other, cold);
        let flooded = flood.stop();
        others.print(&format!("{engine} flooded by {connections} connections"));
        eprintln!("{engine} the flooding tenant: {flooded:?}");

        others.cold_verifications.assert_all(200);
        others.lists.assert_all(200);
        others.sign_ins.assert_all(303);
        others.readiness.assert_all(200);
        let of = |status: u16| flooded.get(&status).copied().unwrap_or_default();
        assert!(
            of(200) > 0,
            "the flooding tenant is served too: {flooded:?}"
        );
        assert!(
            of(429) > 0,
            "only the flooding tenant is refused: {flooded:?}"
        );
        assert_eq!(of(200) + of(429), flooded.values().sum::<u64>());
        if is_soak() {
            assert!(others.cold_verifications.percentile(99) <= Duration::from_millis(100));
            assert!(others.sign_ins.percentile(100) <= Duration::from_secs(2));
        }
    });
}

#[test]
fn p72_the_flooding_tenant_gets_429_with_retry_after() {
    let latchkey = Latchkey::new();
    let tenant = Tenant::new(&latchkey, "acme");
    tenant.fill(&format!(
        "sqlite://{}",
        latchkey.folder().join("latchkey.db").display()
    ));
    let server = Server::start(&latchkey, &[]);
    let request = format!(
        "GET /api/v1/api-keys?q={} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
        slow_search(),
        tenant.secret
    );
    let flood = Flood::start(&server.address, 48, &[&request]);
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        let response = server.get(
            "/api/v1/api-keys?q=ab",
            &format!("x-api-key: {}\r\n", tenant.secret),
        );
        if response.starts_with("HTTP/1.1 429") {
            break response;
        }
        assert!(Instant::now() < deadline, "{response}");
    };
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(
        refused.contains(r#""code":"too_many_requests""#),
        "{refused}"
    );
    // The page shows a specific message and keeps the search.
    let (_, cookie) = sign_in(&server.address, &tenant.email, PASSWORD);
    let cookie = format!("cookie: {}\r\n", cookie.unwrap());
    let page = loop {
        let page = server.get("/tenant-api-keys?status=revoked&q=ab", &cookie);
        if page.starts_with("HTTP/1.1 429") {
            break page;
        }
        assert!(Instant::now() < deadline, "{page}");
    };
    assert!(page.contains("\r\nretry-after: 1\r\n"), "{page}");
    assert!(page.contains("Too many lists of this tenant"), "{page}");
    assert!(page.contains(r#"value="ab""#), "{page}");
    assert!(
        page.contains(r#"href="/tenant-api-keys?status=revoked&amp;q=ab""#),
        "{page}"
    );
    // A verification of the same key is not limited.
    let check = server.get(
        "/api/v1/whoami",
        &format!("x-api-key: {}\r\n", tenant.secret),
    );
    assert!(check.starts_with("HTTP/1.1 200"), "{check}");
    flood.stop();
    // After the flood, lists are served again.
    wait_until(|| {
        server
            .get(
                "/api/v1/api-keys",
                &format!("x-api-key: {}\r\n", tenant.secret),
            )
            .starts_with("HTTP/1.1 200")
    });
}

#[test]
fn revoked_keys_beyond_the_setting_are_archived_and_stay_refused() {
    on_every_engine(|latchkey, _| {
        let latchkey = latchkey.with("LATCHKEY_REVOKED_KEYS_KEPT", "2");
        let tenant = Tenant::new(&latchkey, "acme");
        // The keys are revoked before the server starts, because it archives at its start.
        let mut secrets = Vec::new();
        for _ in 0..5 {
            let key = latchkey.create_key("acme", "Managers", "Old");
            latchkey.run_json(&["key", "revoke", &key.id]);
            secrets.push(key.secret);
        }
        let server = Server::start(&latchkey, &[]);
        let header = format!("x-api-key: {}\r\n", tenant.secret);
        wait_until(|| {
            let list = server.get("/api/v1/api-keys?status=revoked", &header);
            list.matches(r#""status":"revoked""#).count() == 2
        });
        for secret in &secrets {
            let response = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
            assert!(response.starts_with("HTTP/1.1 401"), "{response}");
            assert!(
                response.contains(r#""code":"revoked_api_key""#),
                "{response}"
            );
        }
    });
}

/// A request with the first byte of a body whose remaining bytes are never sent.
fn slow_request(path: &str, headers: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n{headers}content-length: 60000\r\n\r\nx"
    )
}

#[test]
fn p75_a_request_without_a_key_is_refused_before_its_body_is_read() {
    let connections = if is_soak() { 10_000 } else { 500 };
    let latchkey = Latchkey::new();
    let tenant = Tenant::new(&latchkey, "acme");
    let server = Server::start(&latchkey, &[]);
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let json = "content-type: application/json\r\n";
    let requests = [
        (slow_request("/api/v1/verify", json), "401"),
        (slow_request("/api/v1/api-keys", json), "401"),
        (slow_request("/api/pages/generate_api_key", json), "401"),
        (slow_request("/tenant-api-keys/new", form), "303"),
        (slow_request("/account", form), "303"),
    ];
    let mut open = Vec::new();
    for (request, status) in requests.iter().cycle().take(connections) {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        open.push((stream, *status));
    }
    // All connections are open now, and their bodies are incomplete.
    let mut checks = Responses::new("verifications beside slow bodies");
    for _ in 0..50 {
        checks.time(|| Connection::open(&server.address).whoami(&tenant.secret));
    }
    eprintln!("{checks}");
    checks.assert_all(200);
    for (mut stream, status) in open {
        // The server would wait 20 s for a body; a response without that wait arrives earlier.
        stream
            .set_read_timeout(Some(Duration::from_secs(15)))
            .unwrap();
        let mut line = [0; 12];
        stream.read_exact(&mut line).unwrap();
        assert_eq!(line, format!("HTTP/1.1 {status}").as_bytes());
    }
    if is_soak() {
        assert!(checks.percentile(99) <= Duration::from_secs(1));
    }
}
