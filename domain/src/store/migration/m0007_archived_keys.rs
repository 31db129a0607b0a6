//! The archive of revoked keys: the data that is kept for ever, apart from the keys that are listed and searched.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
    sea_query::{ColumnDef, ForeignKey, Index, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0007_archived_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let archive = Table::create()
            .table("archived_api_keys")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("tenant_id").uuid().not_null())
            .col(text(backend, "name").not_null())
            .col(text(backend, "hint").not_null())
            .col(ColumnDef::new("secret_digest").binary_len(32).not_null())
            .col(time("created_at").not_null())
            .col(time("revoked_at").not_null())
            .col(time("archived_at").not_null())
            .foreign_key(
                ForeignKey::create()
                    .name("archived_api_keys_tenant")
                    .from("archived_api_keys", "tenant_id")
                    .to("tenants", "id"),
            )
            .take();
        manager.create_table(archive).await?;
        let digests = Index::create()
            .table("archived_api_keys")
            .name("archived_api_keys_secret_digest")
            .col("secret_digest")
            .unique()
            .take();
        manager.create_index(digests).await?;
        let new_digests = match backend {
            DbBackend::Postgres => POSTGRES_NEW_DIGESTS,
            _ => SQLITE_NEW_DIGESTS,
        };
        let connection = manager.get_connection();
        connection.execute_unprepared(new_digests).await?;
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

/// No key may get the secret of an archived key, as none may get that of another key.
const SQLITE_NEW_DIGESTS: &str = "
    CREATE TRIGGER api_keys_digest_added BEFORE INSERT ON api_keys
    WHEN EXISTS (SELECT 1 FROM archived_api_keys WHERE secret_digest = NEW.secret_digest)
    BEGIN
        SELECT RAISE(ABORT, 'UNIQUE constraint failed: archived_api_keys.secret_digest');
    END;
    CREATE TRIGGER api_keys_digest_changed BEFORE UPDATE OF secret_digest ON api_keys
    WHEN EXISTS (SELECT 1 FROM archived_api_keys WHERE secret_digest = NEW.secret_digest)
    BEGIN
        SELECT RAISE(ABORT, 'UNIQUE constraint failed: archived_api_keys.secret_digest');
    END;
";

/// The same on PostgreSQL. The function uses the search path of the migration, whatever the session's is.
const POSTGRES_NEW_DIGESTS: &str = "
    CREATE FUNCTION refuse_archived_digest() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM archived_api_keys WHERE secret_digest = NEW.secret_digest) THEN
            RAISE EXCEPTION 'an archived key has this secret' USING ERRCODE = 'unique_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER digest_added BEFORE INSERT ON api_keys
        FOR EACH ROW EXECUTE FUNCTION refuse_archived_digest();
    CREATE TRIGGER digest_changed BEFORE UPDATE OF secret_digest ON api_keys
        FOR EACH ROW EXECUTE FUNCTION refuse_archived_digest();
";
