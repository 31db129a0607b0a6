//! The change log and the registered replicas, for several servers on one PostgreSQL database.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0006_replicas"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if connection.get_database_backend() == DbBackend::Postgres {
            connection.execute_unprepared(TABLES).await?;
            connection.execute_unprepared(TRIGGERS).await?;
        }
        Ok(())
    }
}

/// An entry has the number of its transaction, so that a snapshot determines whether it is visible. An entry without a subject stands for
/// all.
///
/// `applied` is the snapshot up to which a replica has applied every change, `beat` the number of its polls. `since` is not read.
const TABLES: &str = "
    CREATE TABLE key_state_changes (
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        subject uuid
    );
    CREATE INDEX key_state_changes_by_xid ON key_state_changes (xid);
    CREATE TABLE replicas (
        id uuid NOT NULL PRIMARY KEY,
        beat bigint NOT NULL,
        applied pg_snapshot,
        since timestamp with time zone NOT NULL
    ) WITH (fillfactor = 50);
";

/// The columns are those of `m0005_hot_path`: last use changes no verdict. The function uses the search path of the migration, whatever
/// that of a session with manual changes is. The triggers are enabled ALWAYS, so that they also fire for replicated rows and for tools that
/// disable triggers.
const TRIGGERS: &str = "
    CREATE FUNCTION note_key_state_change() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$
    BEGIN
        IF TG_LEVEL = 'ROW' THEN
            INSERT INTO key_state_changes (subject) VALUES (OLD.id);
        ELSE
            INSERT INTO key_state_changes (subject) VALUES (NULL);
        END IF;
        PERFORM pg_notify('latchkey_key_state', '');
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_change AFTER UPDATE OF
        id, tenant_id, group_id, name, description, hint, secret_digest, expires_on, ip_allowlist,
        created_by_kind, created_by_id, created_by_name, created_at, updated_at, rotated_at,
        revoked_at, version
        ON api_keys FOR EACH ROW EXECUTE FUNCTION note_key_state_change();
    CREATE TRIGGER note_removal AFTER DELETE ON api_keys
        FOR EACH ROW EXECUTE FUNCTION note_key_state_change();
    CREATE TRIGGER note_emptying AFTER TRUNCATE ON api_keys
        FOR EACH STATEMENT EXECUTE FUNCTION note_key_state_change();
    CREATE TRIGGER note_change AFTER UPDATE ON authorization_groups
        FOR EACH ROW EXECUTE FUNCTION note_key_state_change();
    CREATE TRIGGER note_removal AFTER DELETE ON authorization_groups
        FOR EACH ROW EXECUTE FUNCTION note_key_state_change();
    CREATE TRIGGER note_change AFTER UPDATE OF id, slug, name, suspended_at ON tenants
        FOR EACH ROW EXECUTE FUNCTION note_key_state_change();
    CREATE TRIGGER note_removal AFTER DELETE ON tenants
        FOR EACH ROW EXECUTE FUNCTION note_key_state_change();
    ALTER TABLE api_keys ENABLE ALWAYS TRIGGER note_change;
    ALTER TABLE api_keys ENABLE ALWAYS TRIGGER note_removal;
    ALTER TABLE api_keys ENABLE ALWAYS TRIGGER note_emptying;
    ALTER TABLE authorization_groups ENABLE ALWAYS TRIGGER note_change;
    ALTER TABLE authorization_groups ENABLE ALWAYS TRIGGER note_removal;
    ALTER TABLE tenants ENABLE ALWAYS TRIGGER note_change;
    ALTER TABLE tenants ENABLE ALWAYS TRIGGER note_removal;
";
