//! Persons of an OpenID Connect provider, sign-ins that began there, and the time at which the user of a session proved their identity.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
    sea_query::{ColumnDef, ForeignKey, ForeignKeyAction, Index, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0020_single_sign_on"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let mut sessions = Table::alter();
        sessions
            .table("sessions")
            .add_column(time("authenticated_at"));
        manager.alter_table(sessions).await?;
        manager
            .get_connection()
            .execute_unprepared("UPDATE sessions SET authenticated_at = created_at")
            .await?;
        let identities = Table::create()
            .table("user_identities")
            .col(text(backend, "issuer").not_null())
            .col(text(backend, "subject").not_null())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("role_from_claim").boolean().not_null())
            .col(time("created_at").not_null())
            .primary_key(Index::create().col("issuer").col("subject"))
            .foreign_key(
                ForeignKey::create()
                    .name("user_identities_user")
                    .from("user_identities", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        let states = Table::create()
            .table("sso_states")
            .col(
                ColumnDef::new("state_digest")
                    .binary_len(32)
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new("browser_digest").binary_len(32).not_null())
            .col(text(backend, "return_to").not_null())
            .col(ColumnDef::new("is_fresh").boolean().not_null())
            .col(time("created_at").not_null())
            .col(time("used_at"))
            .take();
        for table in [identities, states] {
            manager.create_table(table).await?;
        }
        // A user has at most one person at each provider.
        let one_person = Index::create()
            .table("user_identities")
            .name("user_identities_one_person")
            .col("user_id")
            .col("issuer")
            .unique()
            .take();
        let oldest_state = Index::create()
            .table("sso_states")
            .name("sso_states_created_at")
            .col("created_at")
            .take();
        for index in [one_person, oldest_state] {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// Compared by bytes on both databases.
fn text(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text();
    if backend == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().take()
}
