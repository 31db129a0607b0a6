//! One-time links of people, the time of a user's last sign-in, and users by address in a tenant.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
    sea_query::{ColumnDef, ForeignKey, ForeignKeyAction, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0019_one_time_links"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let links = Table::create()
            .table("one_time_links")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("token_digest").binary_len(32).not_null())
            .col(text(backend, "purpose").not_null())
            .col(ColumnDef::new("tenant_id").uuid())
            .col(ColumnDef::new("user_id").uuid())
            .col(text(backend, "email").not_null())
            .col(text(backend, "role").not_null())
            .col(text(backend, "author_kind").not_null())
            .col(ColumnDef::new("author_id").uuid())
            .col(text(backend, "author_name").not_null())
            .col(time("created_at").not_null())
            .col(time("expires_at").not_null())
            .col(time("ended_at"))
            .col(text(backend, "ended_as"))
            .col(time("refusal_audited_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("one_time_links_tenant")
                    .from("one_time_links", "tenant_id")
                    .to("tenants", "id"),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("one_time_links_user")
                    .from("one_time_links", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        manager.create_table(links).await?;
        let users = Table::alter()
            .table("users")
            .add_column(time("last_signed_in_at"))
            .take();
        manager.alter_table(users).await?;
        let connection = manager.get_connection();
        connection.execute_unprepared(INDEXES).await?;
        connection.execute_unprepared(LAST_SIGN_INS).await?;
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

const INDEXES: &str = "
    CREATE UNIQUE INDEX one_time_links_token ON one_time_links (token_digest);
    CREATE INDEX one_time_links_open ON one_time_links (tenant_id, email) WHERE ended_at IS NULL;
    CREATE INDEX one_time_links_expires_at ON one_time_links (expires_at);
    CREATE INDEX one_time_links_user_id ON one_time_links (user_id);
    CREATE INDEX users_by_email ON users (tenant_id, email);
";

const LAST_SIGN_INS: &str = "
    UPDATE users SET last_signed_in_at = (
        SELECT max(at) FROM audit_events
        WHERE audit_events.tenant_id = users.tenant_id AND actor_id = users.id
            AND action = 'session.created'
    ) WHERE tenant_id IS NOT NULL;
";
