//! Second factors with their recovery codes, and the sign-ins that wait for a code.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::DbErr,
    sea_query::{ColumnDef, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0023_second_factors"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let factors = Table::create()
            .table("second_factors")
            .col(ColumnDef::new("user_id").uuid().not_null().primary_key())
            .col(ColumnDef::new("seed").text().not_null())
            .col(time("created_at").not_null())
            .col(ColumnDef::new("session_digest").binary_len(32))
            .col(time("enabled_at"))
            .col(time("last_used_at"))
            .col(ColumnDef::new("last_step").big_integer())
            .foreign_key(&mut of_user("second_factors", "second_factors_user"))
            .take();
        let codes = Table::create()
            .table("recovery_codes")
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("code_digest").binary_len(32).not_null())
            .col(time("used_at"))
            .primary_key(Index::create().col("user_id").col("code_digest"))
            .foreign_key(&mut of_user("recovery_codes", "recovery_codes_user"))
            .take();
        let pending = Table::create()
            .table("pending_sign_ins")
            .col(
                ColumnDef::new("token_digest")
                    .binary_len(32)
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("user_version").big_integer().not_null())
            .col(time("created_at").not_null())
            .col(time("expires_at").not_null())
            .foreign_key(&mut of_user("pending_sign_ins", "pending_sign_ins_user"))
            .take();
        for table in [factors, codes, pending] {
            manager.create_table(table).await?;
        }
        for column in ["user_id", "expires_at"] {
            let index = Index::create()
                .table("pending_sign_ins")
                .name(format!("pending_sign_ins_{column}"))
                .col(column)
                .take();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().take()
}

fn of_user(table: &'static str, name: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from(table, "user_id")
        .to("users", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}
