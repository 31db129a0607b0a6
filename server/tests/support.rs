//! Fixtures of the server's tests.
//!
//! **Fixtures by purpose**
//!
//! | purpose | fixture |
//! | --- | --- |
//! | the router, without a process or a socket | [`TestApp`](crate::http::test_app::TestApp) |
//! | the binary: commands, a server on its own SQLite file | [`binary::Latchkey`], [`server::Server`] |
//! | a tenant, a group, a key, an administrator | [`setup`]: methods of [`binary::Latchkey`] |
//! | a key that may create and change keys | [`setup::ManagerKey`] |
//! | one server under load, changed by page, API and command | [`LoadedServer`](crate::invalidation::loaded_server::LoadedServer) |
//! | three replicas on PostgreSQL behind proxies | [`ReplicaCluster`](crate::replicas::cluster::ReplicaCluster) |
//! | nginx, Caddy, HAProxy or Envoy before a service | [`GatewayFixture`](crate::gateways::fixture::GatewayFixture) |
//! | a database on the PostgreSQL of the suite | [`postgres::PostgresDatabase`] |
//! | a provider of single sign-on that issues any token | [`test_provider::TestProvider`] |
//! | a PostgreSQL that the test kills, with or without a standby | [`cluster::PostgresCluster`] |
//!
//! **Tools:** [`client`] sends requests to a process; [`load`] verifies keys on 32 connections while they change; [`fault_proxy`] breaks
//! connections to PostgreSQL; [`disk`] is a small file system that fills up; [`sql`] queries a database directly; [`wait`] waits for a
//! condition; [`skip`] reports a missing program or server; [`environment`] reads the settings of the suite; [`turns`] keeps modules apart.
//!
//! Each fixture has its own ports, folder and database, and removes them when it is dropped.

pub(crate) mod binary;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod disk;
pub(crate) mod environment;
pub(crate) mod fault_proxy;
pub(crate) mod load;
pub(crate) mod postgres;
pub(crate) mod server;
pub(crate) mod setup;
pub(crate) mod skip;
pub(crate) mod sql;
pub(crate) mod test_provider;
pub(crate) mod turns;
pub(crate) mod wait;
