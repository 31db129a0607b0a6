//! The client of a session, and the proof of identity with which it was opened.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::DbErr,
    sea_query::{ColumnDef, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0018_session_clients"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column for each statement, because SQLite accepts no more.
        for column in [
            ColumnDef::new("client_address").text().take(),
            ColumnDef::new("browser").text().take(),
            ColumnDef::new("system").text().take(),
            // Earlier sessions were opened with a password alone.
            ColumnDef::new("authentication")
                .text()
                .not_null()
                .default("password")
                .take(),
        ] {
            let add = Table::alter().table("sessions").add_column(column).take();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
