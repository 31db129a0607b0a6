//! Tables for a server that caches keys: the change log on SQLite, and uses of keys by address.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
    sea_query::{ColumnDef, Index, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_hot_path"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if connection.get_database_backend() == DbBackend::Sqlite {
            connection.execute_unprepared(NOTE_CHANGES).await?;
        }
        // No foreign key: counts stay when a key is deleted by hand.
        let uses = Table::create()
            .table("address_uses")
            .col(ColumnDef::new("key_id").uuid().not_null())
            .col(ColumnDef::new("day").date().not_null())
            .col(ColumnDef::new("address").text().not_null())
            .col(ColumnDef::new("count").big_integer().not_null())
            .primary_key(Index::create().col("key_id").col("day").col("address"))
            .take();
        manager.create_table(uses).await?;
        // Retention deletes by day.
        for table in ["address_uses", "refusals"] {
            let index = Index::create()
                .name(format!("{table}_by_day"))
                .table(table)
                .col("day")
                .take();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// A number is never reused, even if its entry was deleted. Last use is not among the columns, because it changes no verdict. Insertions
/// are not logged, because a new key cannot be cached. (SQLite does not fire delete triggers for `REPLACE`: an operator who replaces a key
/// by hand must also update it.)
const NOTE_CHANGES: &str = "
    CREATE TABLE key_state_changes (
        seq integer NOT NULL PRIMARY KEY AUTOINCREMENT,
        subject uuid_text NOT NULL
    );
    CREATE TRIGGER api_keys_note_change AFTER UPDATE OF
        id, tenant_id, group_id, name, description, hint, secret_digest, expires_on, ip_allowlist,
        created_by_kind, created_by_id, created_by_name, created_at, updated_at, rotated_at,
        revoked_at, version
        ON api_keys
    BEGIN
        INSERT INTO key_state_changes (subject) VALUES (OLD.id);
    END;
    CREATE TRIGGER api_keys_note_removal AFTER DELETE ON api_keys BEGIN
        INSERT INTO key_state_changes (subject) VALUES (OLD.id);
    END;
    CREATE TRIGGER authorization_groups_note_change AFTER UPDATE ON authorization_groups BEGIN
        INSERT INTO key_state_changes (subject) VALUES (OLD.id);
    END;
    CREATE TRIGGER authorization_groups_note_removal AFTER DELETE ON authorization_groups BEGIN
        INSERT INTO key_state_changes (subject) VALUES (OLD.id);
    END;
    CREATE TRIGGER tenants_note_change AFTER UPDATE OF id, slug, name, suspended_at ON tenants
    BEGIN
        INSERT INTO key_state_changes (subject) VALUES (OLD.id);
    END;
    CREATE TRIGGER tenants_note_removal AFTER DELETE ON tenants BEGIN
        INSERT INTO key_state_changes (subject) VALUES (OLD.id);
    END;
";
