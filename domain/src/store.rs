//! The store: all persistent data, through sea-orm on SQLite or PostgreSQL.
//!
//! Queries take a scope. Keys, groups and audit events are reached through a [`TenantScope`], which holds the tenant and the actor; data of
//! the whole installation through an [`OperatorScope`]. Only this crate creates scopes: for a user who has signed in, for a key, or for the
//! command line.

pub mod audit;
pub mod backup;
pub(crate) mod change_line;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod cursor;
pub(crate) mod deadline;
pub mod encryption;
#[expect(
    unreachable_pub,
    reason = "what sea-orm derives beside an entity is public"
)]
pub(crate) mod entity;
mod error;
#[cfg(feature = "bench")]
mod filling;
pub mod groups;
pub mod idempotency;
pub mod invalidation;
pub mod invitations;
pub mod keys;
mod migration;
pub mod one_time_links;
pub mod own_account;
pub mod own_password;
pub mod password;
#[cfg(test)]
mod query_plan;
pub(crate) mod random;
mod receipts;
pub mod restore;
pub mod scope;
pub mod second_factor;
pub mod second_factor_options;
pub mod security_policy;
pub mod sessions;
pub mod sign_in;
pub mod sign_in_link;
pub mod single_sign_on;
mod stored_policy;
pub mod tenant_users;
pub mod tenants;
#[cfg(test)]
#[path = "../tests/support/test_store.rs"]
#[expect(
    dead_code,
    reason = "shared with the integration tests; unit tests use a part of it"
)]
pub(crate) mod test_store;
pub mod user_changes;
pub mod users;
mod write;

pub use connection::StoreOptions;
#[cfg(feature = "bench")]
pub use filling::{ConsoleExtent, ConsoleSample};
pub use scope::{OperatorScope, TenantScope};

use crate::{Error, actor::Actor};
use chrono::TimeDelta;
use connection::{Database, sqlite};
use invalidation::{
    CacheValidity, Invalidation, barrier, change_log,
    control_socket::{self, Confirmation, ControlSocket},
};
use std::sync::Arc;
use write::Write;

/// The database and the settings of its rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Database>,
}

impl Store {
    /// Connects, takes the server lock of a SQLite file if `options` requires it, and brings the schema up to date. Refuses a file that is
    /// a backup.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database cannot be reached, another server holds the file, or the file is a backup.
    pub async fn open(options: StoreOptions) -> Result<Self, Error> {
        if options.database_url.starts_with("sqlite:") {
            backup::mark::refuse(&sqlite::file_of(&options.database_url)?).await?;
        }
        let mut database = Database::connect(options).await?;
        migration::bring_up_to_date(&database).await?;
        database.start_invalidation().await?;
        Ok(Self {
            inner: Arc::new(database),
        })
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.inner.ping().await
    }

    /// Checks that changes can be committed, by a commit that other connections can see; at most one a second, however often this is
    /// called.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::OutcomeUnknown`] if changes cannot be committed now.
    pub async fn prove_writes(&self) -> Result<(), Error> {
        self.inner.prove_writes().await
    }

    /// The open database.
    pub(crate) fn database(&self) -> &Database {
        &self.inner
    }

    /// Number of statements sent to the database since it was opened.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.inner.statements()
    }

    /// Frees the memory for hashing passwords that was not used for a minute.
    pub fn release_password_memory(&self) {
        self.inner.password_slots().release_memory();
    }

    /// The settings with which the store was opened.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        self.inner.options()
    }

    /// Returns the scope of the operator at the command line, which permits everything.
    #[must_use]
    pub fn as_cli(&self) -> OperatorScope {
        OperatorScope::new(Actor::cli())
    }

    /// [`Self::as_cli`], with the login name of the person if it is known.
    #[must_use]
    pub fn as_person_at_cli(&self, person: Option<&str>) -> OperatorScope {
        OperatorScope::new(person.map_or_else(Actor::cli, Actor::cli_of))
    }

    /// Tenants, for an operator.
    #[must_use]
    pub fn tenants<'a>(&'a self, operator: &'a OperatorScope) -> tenants::Tenants<'a> {
        tenants::Tenants::new(&self.inner, operator)
    }

    /// Users, for an operator.
    #[must_use]
    pub fn users<'a>(&'a self, operator: &'a OperatorScope) -> users::Users<'a> {
        users::Users::new(&self.inner, operator)
    }

    /// The keys of one tenant.
    #[must_use]
    pub fn keys<'a>(&'a self, scope: &'a TenantScope) -> keys::Keys<'a> {
        keys::Keys::new(&self.inner, scope)
    }

    /// The authorization groups of one tenant.
    #[must_use]
    pub fn groups<'a>(&'a self, scope: &'a TenantScope) -> groups::Groups<'a> {
        groups::Groups::new(&self.inner, scope)
    }

    /// The security policy of one tenant.
    #[must_use]
    pub fn security_policy<'a>(
        &'a self,
        scope: &'a TenantScope,
    ) -> security_policy::SecurityPolicies<'a> {
        security_policy::SecurityPolicies::new(&self.inner, scope)
    }

    /// The users of one tenant.
    #[must_use]
    pub fn tenant_users<'a>(&'a self, scope: &'a TenantScope) -> tenant_users::TenantUsers<'a> {
        tenant_users::TenantUsers::new(&self.inner, scope)
    }

    /// The audit log of one tenant.
    #[must_use]
    pub fn audit<'a>(&'a self, scope: &'a TenantScope) -> audit::AuditLog<'a> {
        audit::AuditLog::of_tenant(&self.inner, scope)
    }

    /// The audit events that belong to no tenant, and the changes of tenants.
    #[must_use]
    pub fn installation_log(&self, operator: &OperatorScope) -> audit::AuditLog<'_> {
        audit::AuditLog::of_installation(&self.inner, operator)
    }

    /// Sessions of users.
    #[must_use]
    pub fn sessions(&self) -> sessions::Sessions<'_> {
        sessions::Sessions::new(&self.inner)
    }

    /// The account of a signed-in user, for that user.
    #[must_use]
    pub fn own_account<'a>(&'a self, user: &'a sessions::SignedIn) -> own_account::OwnAccount<'a> {
        own_account::OwnAccount::new(&self.inner, user)
    }

    /// One-time links, for the person who opens one.
    #[must_use]
    pub fn invitations(&self) -> invitations::Invitations<'_> {
        invitations::Invitations::new(&self.inner)
    }

    /// Single sign-on.
    #[must_use]
    pub fn single_sign_on(&self) -> single_sign_on::SingleSignOn<'_> {
        single_sign_on::SingleSignOn::new(&self.inner)
    }

    /// The second factor of a signed-in user, for that user.
    #[must_use]
    pub fn own_second_factor<'a>(
        &'a self,
        user: &'a sessions::SignedIn,
    ) -> second_factor::own::OwnSecondFactor<'a> {
        second_factor::own::OwnSecondFactor::new(&self.inner, user)
    }

    /// Re-encrypts every stored secret that the current encryption key did not encrypt.
    ///
    /// # Errors
    /// [`Error::EncryptionKey`] without a current key; [`Error::Unavailable`].
    pub async fn rotate_encryption_key(&self) -> Result<second_factor::rotation::Rotated, Error> {
        second_factor::rotation::rotate(&self.inner).await
    }

    /// Sign-in with email and password.
    #[must_use]
    pub fn sign_in(&self) -> sign_in::SignIn<'_> {
        sign_in::SignIn::new(&self.inner)
    }
}

/// Cached reads and other processes on the same database.
impl Store {
    /// Whether cached keys may be used now; `false` if this process caches none.
    #[must_use]
    pub fn cache_is_valid(&self) -> bool {
        self.inner.validity().is_some_and(CacheValidity::is_usable)
    }

    /// Number of secrets whose fingerprints are in memory, so that all others are refused without a query; `None` while they are not all
    /// loaded.
    #[must_use]
    pub fn known_secrets(&self) -> Option<usize> {
        self.inner.validity().and_then(CacheValidity::known_secrets)
    }

    /// Applies changes that another program made in the SQLite file. Changes by Latchkey's own processes and all changes on PostgreSQL are
    /// applied without this call.
    pub async fn poll_changes(&self) {
        if let Invalidation::SingleNode(node) = self.inner.invalidation() {
            node.catch_up().await;
        }
    }

    /// Deletes some entries of the change log that every cache has applied. To be called periodically.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn prune_change_log(&self) -> Result<(), Error> {
        let database = &self.inner;
        match database.invalidation() {
            Invalidation::Off => Ok(()),
            Invalidation::SingleNode(node) => {
                let applied = node.applied().await;
                let has_old = change_log::has_entries_before(database.checks(), applied);
                if !database.with_timeout(has_old).await? {
                    return Ok(());
                }
                let pruned = database.write(Write::Plain, async |transaction| {
                    Ok(change_log::prune(transaction, applied).await?)
                });
                pruned.await.map(drop)
            }
            Invalidation::Replica(_) => barrier::prune(database.checks()).await,
        }
    }

    /// Waits until the server that serves the same SQLite file has applied what this process changed.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it cannot be determined whether a server runs.
    pub async fn confirm(&self) -> Result<Confirmation, Error> {
        let database = &self.inner;
        match (database.file(), database.held_file()) {
            (Some(file), Some(held)) if database.has_written() && database.validity().is_none() => {
                control_socket::confirm(file, held).await
            }
            _ => Ok(Confirmation::Confirmed),
        }
    }

    /// Opens the control socket, on which commands wait for a confirmation; `None` unless this process is the server of a SQLite file.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn open_control_socket(&self) -> Result<Option<ControlSocket>, std::io::Error> {
        match (self.inner.file(), self.inner.invalidation()) {
            (Some(file), Invalidation::SingleNode(node)) => {
                ControlSocket::open(file, Arc::clone(node)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// How far the database's clock is ahead of this machine's (negative: behind), if they differ by more than 2 seconds.
    #[must_use]
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        match self.inner.invalidation() {
            Invalidation::Replica(replica) => replica.skew(),
            Invalidation::Off | Invalidation::SingleNode(_) => None,
        }
    }

    /// Sets the place at which this server listens: a name that no other process can hold at the same time and that outlives this process.
    /// A replica that is restarted there deregisters its crashed predecessor at once.
    pub fn set_place(&self, place: String) {
        if let Invalidation::Replica(replica) = self.inner.invalidation() {
            replica.set_place(place);
        }
    }

    /// Ends the use of cached keys and deregisters this replica, so that no change waits for it. To be called when a server stops.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: changes then wait for this replica for a few seconds.
    pub async fn deregister(&self) -> Result<(), Error> {
        match self.inner.invalidation() {
            Invalidation::Replica(replica) => replica.deregister().await,
            Invalidation::Off | Invalidation::SingleNode(_) => Ok(()),
        }
    }
}
