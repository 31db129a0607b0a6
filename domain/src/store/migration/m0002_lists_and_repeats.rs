//! What an edit's warning asks the audit trail.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_lists_and_repeats"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(EVENTS_OF_A_TARGET)
            .await?;
        Ok(())
    }
}

/// Who changed this last?
const EVENTS_OF_A_TARGET: &str =
    "CREATE INDEX audit_events_target ON audit_events (tenant_id, target_id, at, id);";
