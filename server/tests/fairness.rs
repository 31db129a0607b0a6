//! One tenant that asks for as much as it can takes nothing from the others.
//!
//! `TEST_ROUNDS` makes the floods as long and as wide as the acceptance says, and asserts its figures; they are printed in any case.

mod flood;

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use crate::support::{
    binary::Latchkey,
    load::Connection,
    people::{PASSWORD, add_administrator_of, sign_in},
    postgres::Postgres,
    server::Server,
    sql,
    until::until,
};
use flood::{Answers, Flood};

/// A tenant with a key that may do everything with keys, and an administrator.
struct Tenant {
    slug: &'static str,
    group: String,
    secret: String,
    email: String,
}

impl Tenant {
    fn new(latchkey: &Latchkey, slug: &'static str) -> Self {
        latchkey.answer(&["tenant", "create", "--name", slug, "--key-limit", "1000"]);
        let group = ["group", "create", "--tenant", slug, "--name", "Managers"];
        let kind = ["--type", "tenant_api_key"];
        let permissions = [
            "--permission",
            "api-keys:write",
            "--permission",
            "api-keys:read",
        ];
        let group = latchkey.answer(&[&group[..], &kind, &permissions].concat());
        let key = ["key", "create", "--tenant", slug, "--name", "Manager"];
        let key = latchkey.answer(&[&key[..], &["--group", "Managers"]].concat());
        let email = format!("ada@{slug}.example");
        add_administrator_of(latchkey, slug, &email);
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        Self {
            slug,
            group: text(&group["id"]),
            secret: text(&key["secret"]),
            email,
        }
    }

    /// Makes so many keys by the API, which no server has checked yet.
    fn make_keys(&self, address: &str, number: usize) -> Vec<String> {
        let mut connection = Connection::open(address);
        (0..number)
            .map(|_| {
                let body = format!(
                    r#"{{"name":"Cold","authorization_group_id":"{}"}}"#,
                    self.group
                );
                let request = format!(
                    "POST /api/v1/api-keys HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    self.secret,
                    body.len()
                );
                let (status, body) = connection.send(&request).unwrap();
                assert_eq!(status, 201, "{body}");
                let key: serde_json::Value = serde_json::from_str(&body).unwrap();
                key["secret"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// A thousand revoked keys with the longest description, which revoking ever more of them leaves there.
    fn fill(&self, database: &str) {
        let slug = self.slug;
        let sql = if database.starts_with("sqlite") {
            format!(
                "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000),
                long (text) AS (SELECT replace(hex(zeroblob(500)), '0', 'a'))
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
                SELECT gen_random_uuid(), tenants.id, grouped.id, 'managers', 'aa', 'aa', repeat('a', 1000),
                    repeat('a', 1000), 'lk_…0000', sha256(n::text::bytea), '', 'cli', 'latchkey', now(), now(), now(), 1
                FROM generate_series(1, 1000) AS n, tenants
                    JOIN authorization_groups AS grouped ON grouped.tenant_id = tenants.id
                WHERE tenants.slug = '{slug}' AND grouped.name = 'Managers'"
            )
        };
        sql::execute(database, &sql).unwrap();
    }
}

/// Whether this is the long form, with the figures that only a quiet machine reaches.
fn is_long() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the soak says so by the environment"
    )]
    std::env::var_os("TEST_ROUNDS").is_some()
}

/// Runs the test on SQLite, and on PostgreSQL where there is one.
fn on_every_engine(test: impl Fn(Latchkey, &str)) {
    let latchkey = Latchkey::new();
    let file = latchkey.folder().join("latchkey.db");
    test(latchkey, &format!("sqlite://{}?mode=rwc", file.display()));
    if let Some(postgres) = Postgres::fresh() {
        let url = postgres.url();
        test(Latchkey::new().with("DATABASE_URL", &url), &url);
    }
}

/// What others get while one tenant floods.
struct Others {
    cold_checks: Answers,
    lists: Answers,
    sign_ins: Answers,
    readiness: Answers,
}

impl Others {
    fn measure(server: &Server, tenant: &Tenant, cold: &[String]) -> Self {
        let address = &server.address;
        let mut others = Self {
            cold_checks: Answers::new("cold checks"),
            lists: Answers::new("lists"),
            sign_ins: Answers::new("sign-ins"),
            readiness: Answers::new("/readyz"),
        };
        let ask = |path: &str, secret: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\n\r\n");
            Connection::open(address)
                .send(&request)
                .map(|(status, _)| status)
        };
        for (number, secret) in cold.iter().enumerate() {
            others.cold_checks.time(|| ask("/api/v1/whoami", secret));
            if number % 8 == 0 {
                others.readiness.time(|| ask("/readyz", ""));
                others
                    .lists
                    .time(|| ask("/api/v1/api-keys", &tenant.secret));
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
        for answers in [
            &self.cold_checks,
            &self.lists,
            &self.sign_ins,
            &self.readiness,
        ] {
            eprintln!("{what}: {answers}");
        }
    }
}

#[test]
fn p72_a_tenant_that_searches_takes_nothing_from_another() {
    let (connections, cold) = if is_long() { (128, 200) } else { (32, 48) };
    on_every_engine(|latchkey, database| {
        let flooding = Tenant::new(&latchkey, "acme");
        let other = Tenant::new(&latchkey, "globex");
        flooding.fill(database);
        let server = Server::start(&latchkey, &[]);
        let engine = database.split(':').next().unwrap();
        let cold = other.make_keys(&server.address, 2 * cold);
        let (quiet, cold) = cold.split_at(cold.len() / 2);
        Others::measure(&server, &other, quiet).print(&format!("{engine} quiet"));

        let (status, cookie) = sign_in(&server.address, &flooding.email, PASSWORD);
        assert_eq!(status, 303);
        // Nothing contains it, and every character of every description has to be looked at for that.
        let search = format!("{}b", "a".repeat(99));
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
        until(|| flood.answers() as usize >= connections);
        let others = Others::measure(&server, &other, cold);
        let flooded = flood.stop();
        others.print(&format!("{engine} flooded by {connections} connections"));
        eprintln!("{engine} the flooding tenant: {flooded:?}");

        others.cold_checks.assert_all(200);
        others.lists.assert_all(200);
        others.sign_ins.assert_all(303);
        others.readiness.assert_all(200);
        let of = |status: u16| flooded.get(&status).copied().unwrap_or_default();
        assert!(of(200) > 0, "it is served as well: {flooded:?}");
        assert!(of(429) > 0, "it alone is told to wait: {flooded:?}");
        assert_eq!(of(200) + of(429), flooded.values().sum::<u64>());
        if is_long() {
            assert!(others.cold_checks.percentile(99) <= Duration::from_millis(100));
            assert!(others.sign_ins.percentile(100) <= Duration::from_secs(2));
        }
    });
}

#[test]
fn p72_the_flooding_tenant_is_told_why_and_when_to_come_back() {
    let latchkey = Latchkey::new();
    let tenant = Tenant::new(&latchkey, "acme");
    tenant.fill(&format!(
        "sqlite://{}",
        latchkey.folder().join("latchkey.db").display()
    ));
    let server = Server::start(&latchkey, &[]);
    let request = format!(
        "GET /api/v1/api-keys?q={}b HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
        "a".repeat(99),
        tenant.secret
    );
    let flood = Flood::start(&server.address, 48, &[&request]);
    let started = Instant::now();
    let refused = loop {
        let answer = server.get(
            "/api/v1/api-keys?q=ab",
            &format!("x-api-key: {}\r\n", tenant.secret),
        );
        if answer.starts_with("HTTP/1.1 429") {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{answer}");
    };
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(
        refused.contains(r#""code":"too_many_requests""#),
        "{refused}"
    );
    // The page says so in its own words, and keeps what was asked for.
    let (_, cookie) = sign_in(&server.address, &tenant.email, PASSWORD);
    let cookie = format!("cookie: {}\r\n", cookie.unwrap());
    let page = loop {
        let page = server.get("/tenant-api-keys?status=revoked&q=ab", &cookie);
        if page.starts_with("HTTP/1.1 429") {
            break page;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{page}");
    };
    assert!(page.contains("\r\nretry-after: 1\r\n"), "{page}");
    assert!(page.contains("Too many lists of this tenant"), "{page}");
    assert!(page.contains(r#"value="ab""#), "{page}");
    assert!(
        page.contains(r#"href="/tenant-api-keys?status=revoked&amp;q=ab""#),
        "{page}"
    );
    // A check of the same key is no list.
    let check = server.get(
        "/api/v1/whoami",
        &format!("x-api-key: {}\r\n", tenant.secret),
    );
    assert!(check.starts_with("HTTP/1.1 200"), "{check}");
    flood.stop();
    // Nothing is left of it.
    until(|| {
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
        // Revoked before the server starts, so that it finds them at once.
        let mut secrets = Vec::new();
        for _ in 0..5 {
            let create = [
                "key", "create", "--tenant", "acme", "--name", "Old", "--group", "Managers",
            ];
            let key = latchkey.answer(&create);
            latchkey.answer(&["key", "revoke", key["id"].as_str().unwrap()]);
            secrets.push(key["secret"].as_str().unwrap().to_owned());
        }
        let server = Server::start(&latchkey, &[]);
        let header = format!("x-api-key: {}\r\n", tenant.secret);
        until(|| {
            let list = server.get("/api/v1/api-keys?status=revoked", &header);
            list.matches(r#""status":"revoked""#).count() == 2
        });
        for secret in &secrets {
            let answer = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
            assert!(answer.contains(r#""code":"revoked_api_key""#), "{answer}");
        }
    });
}

/// A request with a head and the first byte of a body, the rest of which does not come.
fn slow_request(path: &str, headers: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n{headers}content-length: 60000\r\n\r\nx"
    )
}

#[test]
fn p75_who_has_no_key_is_refused_before_the_body_is_read() {
    let connections = if is_long() { 10_000 } else { 500 };
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
    // Those connections are all there still, and nobody has sent the rest.
    let mut checks = Answers::new("checks beside slow bodies");
    for _ in 0..50 {
        let check = format!(
            "GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
            tenant.secret
        );
        checks.time(|| {
            let answer = Connection::open(&server.address).send(&check);
            answer.map(|(status, _)| status)
        });
    }
    eprintln!("{checks}");
    checks.assert_all(200);
    for (mut stream, status) in open {
        // Without waiting for a body the server has 20 s, and this client gives up before that.
        stream
            .set_read_timeout(Some(Duration::from_secs(15)))
            .unwrap();
        let mut line = [0; 12];
        stream.read_exact(&mut line).unwrap();
        assert_eq!(line, format!("HTTP/1.1 {status}").as_bytes());
    }
    if is_long() {
        assert!(checks.percentile(99) <= Duration::from_secs(1));
    }
}
