//! Indexes that find the events of one actor or one action, newest first, without reading others.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::DbErr, sea_query::Index,
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_audit_filters"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in [
            ("audit_events_action", "action"),
            ("audit_events_actor_id", "actor_id"),
        ] {
            let index = Index::create()
                .table("audit_events")
                .name(name)
                .col("tenant_id")
                .col(column)
                .col("at")
                .col("id")
                .take();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
