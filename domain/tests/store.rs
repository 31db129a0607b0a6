//! The store on real databases: SQLite always, PostgreSQL where `TEST_DATABASE_URL` names a server.

#[path = "world/world.rs"]
mod world;

#[path = "store/archive.rs"]
mod archive;
#[path = "store/audit.rs"]
mod audit;
#[path = "store/backup.rs"]
mod backup;
#[path = "store/groups.rs"]
mod groups;
#[path = "store/key_edits.rs"]
mod key_edits;
#[path = "store/key_list.rs"]
mod key_list;
#[path = "store/key_races.rs"]
mod key_races;
#[path = "store/keys.rs"]
mod keys;
#[path = "store/one_time.rs"]
mod one_time;
#[path = "store/opening.rs"]
mod opening;
#[path = "store/own_grant.rs"]
mod own_grant;
#[path = "store/replicas.rs"]
mod replicas;
#[path = "store/restore.rs"]
mod restore;
#[path = "store/schema.rs"]
mod schema;
#[path = "store/sessions.rs"]
mod sessions;
#[path = "store/sign_in.rs"]
mod sign_in;
#[path = "store/tenants.rs"]
mod tenants;
#[path = "store/throttle.rs"]
mod throttle;
#[path = "store/usage.rs"]
mod usage;
#[path = "store/users.rs"]
mod users;
#[path = "store/verify.rs"]
mod verify;
