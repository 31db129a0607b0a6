//! An index over the last use finds keys that were not used for some days.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0014_unused_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(INDEX).await?;
        Ok(())
    }
}

/// The index includes the creation time, from which a key that was never used counts. That column never changes, so flushing last uses
/// costs no more.
const INDEX: &str = "
    DROP INDEX api_keys_by_last_use;
    CREATE INDEX api_keys_by_last_use
        ON api_keys (tenant_id, last_used_at, id, revoked_at, expires_on, created_at);
";
