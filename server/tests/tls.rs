//! The way to a PostgreSQL that wants TLS, as a managed one does.

use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::support::{
    binary::Latchkey, cluster::Cluster, load::Connection, manager::Manager, postgres::Postgres,
    server::Server, sql, until::until,
};

/// The name in the server's certificate.
const HOST: &str = "localhost";

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(parameters, key),
            certificate,
        }
    }
}

/// A PostgreSQL that lets nobody in without TLS.
struct World {
    /// Gone at the end, with the database in it.
    cluster: Cluster,
    database: Postgres,
}

impl World {
    fn of(cluster: Cluster, authority: &Authority) -> Self {
        let database = Postgres::fresh_on_doomed(&cluster.primary.url("postgres"));
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([HOST.to_owned()])
            .unwrap()
            .signed_by(&key, &authority.issuer)
            .unwrap();
        let primary = &cluster.primary;
        primary.put("server.crt", &certificate.pem());
        primary.put("server.key", &key.serialize_pem());
        primary.put("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n");
        primary.execute("ALTER SYSTEM SET ssl = on");
        primary.execute("SELECT pg_reload_conf()");
        let plain = format!("{}?sslmode=disable", database.url());
        until(|| sql::number(&plain, "SELECT 1::bigint").is_err());
        until(|| sql::number(&database.url(), "SELECT 1::bigint").is_ok());
        Self { cluster, database }
    }

    /// Latchkey, which reaches it at that host and trusts that authority alone.
    fn latchkey(&self, host: &str, mode: &str, trusted: &Authority) -> Latchkey {
        let address = self.cluster.primary.address();
        let (_, port) = address.rsplit_once(':').unwrap();
        let url = self.database.url_at(&format!("{host}:{port}"));
        let latchkey = Latchkey::new().with(
            "DATABASE_URL",
            &format!("{url}?sslmode={mode}&sslrootcert=authority.pem"),
        );
        let file = latchkey.folder().join("authority.pem");
        fs::write(file, &trusted.certificate).unwrap();
        latchkey
    }
}

#[test]
fn every_connection_to_a_postgresql_that_wants_tls_is_encrypted() {
    let authority = Authority::new();
    let Some(cluster) = Cluster::alone() else {
        return;
    };
    let world = World::of(cluster, &authority);
    let latchkey = world.latchkey(HOST, "verify-full", &authority);
    let Manager { secret, .. } = Manager::new(&latchkey);
    let server = Server::start(&latchkey, &[]);
    let answer = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let connections = |condition: &str| {
        world.database.number(&format!(
            "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
             WHERE application_name LIKE 'latchkey%' AND {condition}"
        ))
    };
    // What it asks by, what it asks for changes by, and where notices come. Without TLS none of them is let in.
    for name in ["latchkey", "latchkey poll", "latchkey notify"] {
        until(|| connections(&format!("ssl AND application_name = '{name}'")) > 0);
    }
}

#[test]
fn a_postgresql_that_is_not_who_it_should_be_is_told_nothing() {
    let authority = Authority::new();
    let Some(cluster) = Cluster::alone() else {
        return;
    };
    let world = World::of(cluster, &authority);
    let stranger = Authority::new();
    for (host, mode, trusted, refused) in [
        (HOST, "verify-full", &authority, None),
        (
            "127.0.0.1",
            "verify-full",
            &authority,
            Some("not valid for name"),
        ),
        ("127.0.0.1", "verify-ca", &authority, None),
        (
            HOST,
            "verify-full",
            &stranger,
            Some("invalid peer certificate"),
        ),
        (
            HOST,
            "verify-ca",
            &stranger,
            Some("invalid peer certificate"),
        ),
        // Whoever answers: encrypted and no more.
        (HOST, "require", &stranger, None),
        (HOST, "disable", &authority, Some("no encryption")),
    ] {
        let latchkey = world.latchkey(host, mode, trusted);
        let run = latchkey.run(&["tenant", "list"]);
        let Some(refused) = refused else {
            run.ended_well();
            continue;
        };
        run.failed_with(&["DATABASE_URL: cannot open "]);
        assert!(run.stderr.contains(refused), "{}", run.stderr);
    }
}

#[test]
fn commits_that_no_standby_confirms_keep_no_place_in_the_pool() {
    let authority = Authority::new();
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let mut world = World::of(cluster, &authority);
    let latchkey = world.latchkey(HOST, "verify-full", &authority);
    let Manager { secret, .. } = Manager::new(&latchkey);
    // More than there are connections.
    let keys: Vec<_> = (0..12)
        .map(|_| {
            let key = latchkey.answer(&[
                "key", "create", "--tenant", "acme", "--name", "Target", "--group", "Managers",
            ]);
            key["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let server = Server::start(&latchkey, &[]);
    let ask = |method: &str, path: &str| {
        let mut connection = Connection::open(&server.address);
        let answer = connection.send(&format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\ncontent-length: 0\r\n\r\n"
        ));
        answer.map(|(status, _)| status)
    };
    assert_eq!(ask("GET", "whoami"), Some(200));
    world.cluster.standby.as_mut().unwrap().kill();
    thread::scope(|scope| {
        for key in &keys {
            let ask = &ask;
            scope.spawn(move || {
                let revoked = ask("POST", &format!("api-keys/{key}/revoke"));
                assert_eq!(revoked, Some(503));
            });
        }
    });
    // Nobody may trust a memory by now: the database is asked.
    until(|| ask("GET", "whoami") == Some(200));
}
