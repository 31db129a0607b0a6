//! Counts of refused requests by key, code and day.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::DbErr,
    sea_query::{ColumnDef, Index, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_refusals"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No foreign key: requests without a known key are counted under the nil UUID.
        let table = Table::create()
            .table("refusals")
            .col(ColumnDef::new("key_id").uuid().not_null())
            .col(ColumnDef::new("day").date().not_null())
            .col(ColumnDef::new("code").text().not_null())
            .col(ColumnDef::new("count").big_integer().not_null())
            .primary_key(Index::create().col("key_id").col("day").col("code"))
            .take();
        manager.create_table(table).await
    }
}
