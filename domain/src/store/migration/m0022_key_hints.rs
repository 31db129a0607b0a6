//! An index over the last four characters of secrets finds the keys of a hint.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0022_key_hints"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = match manager.get_database_backend() {
            DbBackend::Sqlite => {
                "CREATE INDEX api_keys_by_hint ON api_keys (tenant_id, lower(substr(hint, -4)), id)"
            }
            _ => {
                "CREATE INDEX api_keys_by_hint ON api_keys (tenant_id, lower(right(hint, 4) COLLATE \"C\"), id)"
            }
        };
        manager.get_connection().execute_unprepared(index).await?;
        Ok(())
    }
}
