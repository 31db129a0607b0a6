//! A PostgreSQL database for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{
    environment::setting,
    skip::skip,
    sql::{execute, number},
};

/// A new database. Dropping this drops it, also after a failure.
pub(crate) struct PostgresDatabase {
    /// The server's `postgres://…` URL up to the database name.
    server: String,
    name: String,
    is_on_temporary_server: bool,
}

impl PostgresDatabase {
    /// Creates a database on the server of `TEST_DATABASE_URL`; `None` if that is not set, which is reported.
    pub(crate) fn create() -> Option<Self> {
        let Some(url) = setting("TEST_DATABASE_URL") else {
            skip("a PostgreSQL server (TEST_DATABASE_URL)");
            return None;
        };
        Some(Self::create_on(&url))
    }

    /// Creates a database on the server with this URL.
    pub(crate) fn create_on(url: &str) -> Self {
        Self::create_with(url, "")
    }

    /// Creates a database on the server with this URL, with options of `CREATE DATABASE`.
    pub(crate) fn create_with(url: &str, options: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let (server, _) = url.rsplit_once('/').expect("a database in the URL");
        let database = Self {
            server: server.to_owned(),
            name: format!("latchkey_server_{}_{number}", std::process::id()),
            is_on_temporary_server: false,
        };
        database.administrate(&format!("CREATE DATABASE {} {options}", database.name));
        database
    }

    /// Creates a database on a server that ends with the test, so the database is not dropped.
    pub(crate) fn create_on_temporary_server(url: &str) -> Self {
        let mut database = Self::create_on(url);
        database.is_on_temporary_server = true;
        database
    }

    /// The URL of the database.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// The URL of the database at another address of the server, such as that of a proxy.
    pub(crate) fn url_at(&self, address: &str) -> String {
        let (user, _) = self.server.rsplit_once('@').expect("a user in the URL");
        format!("{user}@{address}/{}", self.name)
    }

    /// Host and port of the server.
    pub(crate) fn address(&self) -> String {
        let (_, address) = self.server.rsplit_once('@').expect("a user in the URL");
        address.to_owned()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements without values.
    pub(crate) fn execute(&self, sql: &str) {
        execute(&self.url(), sql).expect("executed");
    }

    /// The number that a query returns.
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

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if self.is_on_temporary_server {
            return;
        }
        let administration = format!("{}/postgres", self.server);
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        if let Err(error) = execute(&administration, &drop) {
            eprintln!("{} could not be dropped: {error}", self.name);
        }
    }
}
