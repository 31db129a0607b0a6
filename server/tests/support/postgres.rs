//! A PostgreSQL database of a test's own, and how a test looks into it past Latchkey.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{
    skip::skip,
    sql::{execute, number},
};

/// A fresh database; gone when this is dropped, also after a failure.
pub(crate) struct Postgres {
    /// `postgres://…` of the server, up to the name of a database.
    server: String,
    name: String,
    outlives_its_server: bool,
}

impl Postgres {
    /// On the server that `TEST_DATABASE_URL` names, on which databases may be created; `None` where it names none, which is reported.
    pub(crate) fn fresh() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one setting of the tests: which PostgreSQL to run on"
        )]
        let url = std::env::var("TEST_DATABASE_URL");
        let Ok(url) = url else {
            skip("a PostgreSQL server (TEST_DATABASE_URL)");
            return None;
        };
        Some(Self::fresh_on(&url))
    }

    /// On the server of that URL.
    pub(crate) fn fresh_on(url: &str) -> Self {
        Self::fresh_with(url, "")
    }

    /// On the server of that URL; made with these options of `CREATE DATABASE`.
    pub(crate) fn fresh_with(url: &str, options: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let (server, _) = url.rsplit_once('/').expect("a database in the URL");
        let database = Self {
            server: server.to_owned(),
            name: format!("latchkey_server_{}_{number}", std::process::id()),
            outlives_its_server: false,
        };
        database.administrate(&format!("CREATE DATABASE {} {options}", database.name));
        database
    }

    /// On a server that is gone at the end, so that nothing is to be dropped there.
    pub(crate) fn fresh_on_doomed(url: &str) -> Self {
        let mut database = Self::fresh_on(url);
        database.outlives_its_server = true;
        database
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Its URL, where the server is reached at another address, such as a proxy's.
    pub(crate) fn url_at(&self, address: &str) -> String {
        let (user, _) = self.server.rsplit_once('@').expect("a user in the URL");
        format!("{user}@{address}/{}", self.name)
    }

    /// Host and port of the server.
    pub(crate) fn address(&self) -> String {
        let (_, address) = self.server.rsplit_once('@').expect("a user in the URL");
        address.to_owned()
    }

    /// The same database on another server, such as a standby. Dropping it drops nothing.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements without values.
    pub(crate) fn execute(&self, sql: &str) {
        execute(&self.url(), sql).expect("executed");
    }

    /// The one number that a query answers.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        number(&self.url(), sql).expect("a number")
    }

    fn administrate(&self, sql: &str) {
        let administration = format!("{}/postgres", self.server);
        if let Err(error) = execute(&administration, sql) {
            panic!("{sql}: {error}");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.outlives_its_server {
            return;
        }
        let administration = format!("{}/postgres", self.server);
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        if let Err(error) = execute(&administration, &drop) {
            eprintln!("{} could not be dropped: {error}", self.name);
        }
    }
}
