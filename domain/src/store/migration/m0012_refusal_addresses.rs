//! Counts of refused requests with a key, by address, day and code.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::DbErr,
    sea_query::{ColumnDef, Index, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0012_refusal_addresses"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No foreign key: counts stay when a key is archived.
        let table = Table::create()
            .table("refusal_addresses")
            .col(ColumnDef::new("key_id").uuid().not_null())
            .col(ColumnDef::new("day").date().not_null())
            .col(ColumnDef::new("address").text().not_null())
            .col(ColumnDef::new("code").text().not_null())
            .col(ColumnDef::new("count").big_integer().not_null())
            .col(
                ColumnDef::new("last_at")
                    .timestamp_with_time_zone()
                    .not_null(),
            )
            .primary_key(
                Index::create()
                    .col("key_id")
                    .col("day")
                    .col("address")
                    .col("code"),
            )
            .take();
        manager.create_table(table).await?;
        // Retention deletes by day.
        let by_day = Index::create()
            .name("refusal_addresses_by_day")
            .table("refusal_addresses")
            .col("day")
            .take();
        manager.create_index(by_day).await
    }
}
