//! Deleted groups, receipts of changes, the installation's audit events, and tenants by name.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
    sea_query::{ColumnDef, Table},
};
use uuid::Uuid;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0015_console"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let is_sqlite = connection.get_database_backend() == DbBackend::Sqlite;

        let deleted_at = ColumnDef::new("deleted_at")
            .timestamp_with_time_zone()
            .take();
        let groups = Table::alter()
            .table("authorization_groups")
            .add_column(deleted_at)
            .take();
        manager.alter_table(groups).await?;

        let mut name_lower = ColumnDef::new("name_lower");
        name_lower.text().not_null().default("");
        if !is_sqlite {
            name_lower.extra("COLLATE \"C\"");
        }
        let tenants = Table::alter()
            .table("tenants")
            .add_column(name_lower)
            .take();
        manager.alter_table(tenants).await?;
        write_tenant_names(connection).await?;

        connection.execute_unprepared(INDEXES).await?;

        // No foreign key to an event: a receipt is written after the event's transaction.
        let receipts = Table::create()
            .table("audit_receipts")
            .col(ColumnDef::new("event_id").uuid().not_null().primary_key())
            .col(ColumnDef::new("at").timestamp_with_time_zone().not_null())
            .col(ColumnDef::new("replicas").big_integer().not_null())
            .col(ColumnDef::new("refused_on").big_integer().not_null())
            .col(ColumnDef::new("after_ms").big_integer().not_null())
            .take();
        manager.create_table(receipts).await?;
        let append_only = if is_sqlite {
            APPEND_ONLY_SQLITE
        } else {
            APPEND_ONLY_POSTGRES
        };
        connection.execute_unprepared(append_only).await?;
        Ok(())
    }
}

/// The default serves this migration only: the program always writes the name. The program lower-cases names, because SQLite lower-cases
/// ASCII letters only.
async fn write_tenant_names(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let tenants = connection
        .query_all_raw(Statement::from_string(
            backend,
            "SELECT id, name FROM tenants",
        ))
        .await?;
    for tenant in tenants {
        let id: Uuid = tenant.try_get("", "id")?;
        let name: String = tenant.try_get("", "name")?;
        connection
            .execute_raw(Statement::from_sql_and_values(
                backend,
                "UPDATE tenants SET name_lower = $1 WHERE id = $2",
                [name.to_lowercase().replace('ς', "σ").into(), id.into()],
            ))
            .await?;
    }
    Ok(())
}

/// A deleted group keeps its row for the revoked keys that refer to it, and its name becomes free. The installation's log has an index of
/// its own, because most events belong to tenants.
const INDEXES: &str = "
    DROP INDEX authorization_groups_name;
    CREATE UNIQUE INDEX authorization_groups_name
        ON authorization_groups (tenant_id, name) WHERE deleted_at IS NULL;
    CREATE INDEX audit_events_installation
        ON audit_events (at, id) WHERE (tenant_id IS NULL OR target_kind = 'tenant');
    CREATE INDEX tenants_by_name ON tenants (name_lower, slug);
";

const APPEND_ONLY_SQLITE: &str = "
    CREATE TRIGGER audit_receipts_no_update BEFORE UPDATE ON audit_receipts
        BEGIN SELECT RAISE(ABORT, 'receipts are append-only'); END;
    CREATE TRIGGER audit_receipts_no_delete BEFORE DELETE ON audit_receipts
        BEGIN SELECT RAISE(ABORT, 'receipts are append-only'); END;
";

const APPEND_ONLY_POSTGRES: &str = "
    CREATE TRIGGER audit_receipts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_receipts
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
";
