//! Tests of the store on real databases: SQLite always, PostgreSQL where `TEST_DATABASE_URL` names a server.

#[path = "../support/test_store.rs"]
mod test_store;

mod allowlist_preview;
mod archive;
mod audit;
mod audit_log;
mod backup;
mod consecutive_failures;
mod group_edits;
mod groups;
mod idempotency;
mod invitations;
mod key_cursors;
mod key_edits;
mod key_filters;
mod key_list;
mod key_races;
mod key_search;
mod key_usage;
mod keys;
mod opening;
mod own_grant;
mod replica_secrets;
mod replicas;
mod restore;
mod revocations;
mod schema;
mod security_policy;
mod sessions;
mod sign_in;
mod single_sign_on;
mod tenants;
mod throttle;
mod usage_counters;
mod user_changes;
mod users;
mod verify;
