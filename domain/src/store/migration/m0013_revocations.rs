//! The actor and the reason of a revocation.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
    sea_query::{ColumnDef, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0013_revocations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column for each statement, because SQLite accepts no more.
        for column in [
            ColumnDef::new("revoked_by_kind").text().take(),
            ColumnDef::new("revoked_by_id").uuid().take(),
            ColumnDef::new("revoked_by_name").text().take(),
            ColumnDef::new("revoked_reason").text().take(),
        ] {
            let add = Table::alter().table("api_keys").add_column(column).take();
            manager.alter_table(add).await?;
        }
        manager
            .get_connection()
            .execute_unprepared(NAME_EARLIER_ACTORS)
            .await?;
        Ok(())
    }
}

/// Keys that were revoked before this migration get the actor from their audit event. The columns are not among those that invalidate
/// cached keys, because no verdict depends on them.
const NAME_EARLIER_ACTORS: &str = "
    UPDATE api_keys SET
        revoked_by_kind = event.actor_kind,
        revoked_by_id = event.actor_id,
        revoked_by_name = event.actor_name
    FROM audit_events AS event
    WHERE api_keys.revoked_at IS NOT NULL
        AND event.tenant_id = api_keys.tenant_id
        AND event.target_id = api_keys.id
        AND event.target_kind = 'api_key'
        AND event.action = 'api_key.revoked'
";
