//! TLS to a PostgreSQL server that requires it, as managed servers do.

use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::support::{
    binary::Latchkey,
    client::{Connection, api_request},
    cluster::PostgresCluster,
    postgres::PostgresDatabase,
    server::Server,
    setup::ManagerKey,
    sql,
    wait::wait_until,
};

/// The name in the server's certificate.
const HOST: &str = "localhost";

/// A certificate authority.
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

/// A PostgreSQL that refuses connections without TLS.
struct TlsDatabase {
    cluster: PostgresCluster,
    database: PostgresDatabase,
}

impl TlsDatabase {
    fn start(cluster: PostgresCluster, authority: &Authority) -> Self {
        let database =
            PostgresDatabase::create_on_temporary_server(&cluster.primary.url("postgres"));
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([HOST.to_owned()])
            .unwrap()
            .signed_by(&key, &authority.issuer)
            .unwrap();
        let primary = &cluster.primary;
        primary.write_file("server.crt", &certificate.pem());
        primary.write_file("server.key", &key.serialize_pem());
        primary.write_file("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n");
        primary.execute("ALTER SYSTEM SET ssl = on");
        primary.execute("SELECT pg_reload_conf()");
        let plain = format!("{}?sslmode=disable", database.url());
        wait_until(|| sql::number(&plain, "SELECT 1::bigint").is_err());
        wait_until(|| sql::number(&database.url(), "SELECT 1::bigint").is_ok());
        Self { cluster, database }
    }

    /// A `latchkey` that connects to `host` and trusts only this authority.
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
fn every_connection_to_a_postgresql_that_requires_tls_is_encrypted() {
    let authority = Authority::new();
    let Some(cluster) = PostgresCluster::primary_only() else {
        return;
    };
    let tls = TlsDatabase::start(cluster, &authority);
    let latchkey = tls.latchkey(HOST, "verify-full", &authority);
    let ManagerKey { secret, .. } = ManagerKey::create(&latchkey);
    let server = Server::start(&latchkey, &[]);
    let response = server.get("/api/v1/whoami", &format!("x-api-key: {secret}\r\n"));
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let connections = |condition: &str| {
        tls.database.number(&format!(
            "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
             WHERE application_name LIKE 'latchkey%' AND {condition}"
        ))
    };
    // The pool, the poll and the notifications. PostgreSQL refuses each of them without TLS.
    for name in ["latchkey", "latchkey poll", "latchkey notify"] {
        wait_until(|| connections(&format!("ssl AND application_name = '{name}'")) > 0);
    }
}

#[test]
fn a_postgresql_with_a_wrong_certificate_is_refused() {
    let authority = Authority::new();
    let Some(cluster) = PostgresCluster::primary_only() else {
        return;
    };
    let tls = TlsDatabase::start(cluster, &authority);
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
        // `require` encrypts and does not verify the certificate.
        (HOST, "require", &stranger, None),
        (HOST, "disable", &authority, Some("no encryption")),
    ] {
        let latchkey = tls.latchkey(host, mode, trusted);
        let run = latchkey.run(&["tenant", "list"]);
        let Some(refused) = refused else {
            run.expect_success();
            continue;
        };
        run.expect_failure(&["DATABASE_URL: cannot open "]);
        assert!(run.stderr.contains(refused), "{}", run.stderr);
    }
}

#[test]
fn commits_without_a_standby_hold_no_connection_of_the_pool() {
    let authority = Authority::new();
    let Some(cluster) = PostgresCluster::with_standby() else {
        return;
    };
    let mut tls = TlsDatabase::start(cluster, &authority);
    let latchkey = tls.latchkey(HOST, "verify-full", &authority);
    let ManagerKey { secret, .. } = ManagerKey::create(&latchkey);
    // More keys than the pool has connections
    let keys: Vec<_> = (0..12)
        .map(|_| latchkey.create_key("acme", "Managers", "Target").id)
        .collect();
    let server = Server::start(&latchkey, &[]);
    let status = |method: &str, path: &str| {
        let mut connection = Connection::open(&server.address);
        let response = connection.send(&api_request(&secret, method, path, ""));
        response.map(|(status, _)| status)
    };
    assert_eq!(status("GET", "/whoami"), Some(200));
    tls.cluster.standby.as_mut().unwrap().kill();
    thread::scope(|scope| {
        for key in &keys {
            let status = &status;
            scope.spawn(move || {
                let revoked = status("POST", &format!("/api-keys/{key}/revoke"));
                assert_eq!(revoked, Some(503));
            });
        }
    });
    // The leases have expired, so the database is read.
    wait_until(|| status("GET", "/whoami") == Some(200));
}
