//! New secrets in the change log, so that servers can refuse secrets that do not exist without a query.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0016_secret_fingerprints"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let note_secrets = match connection.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        connection.execute_unprepared(note_secrets).await?;
        Ok(())
    }
}

/// An entry of a new secret has the first eight bytes of its digest. A key that moves into the archive keeps its secret, so it needs no
/// entry. The triggers also log keys that a server of an earlier version creates.
const SQLITE: &str = "
    ALTER TABLE key_state_changes ADD COLUMN fingerprint blob;
    CREATE TRIGGER api_keys_note_addition AFTER INSERT ON api_keys BEGIN
        INSERT INTO key_state_changes (subject, fingerprint)
        VALUES (NEW.id, substr(NEW.secret_digest, 1, 8));
    END;
    CREATE TRIGGER api_keys_note_secret AFTER UPDATE OF secret_digest ON api_keys BEGIN
        INSERT INTO key_state_changes (subject, fingerprint)
        VALUES (NEW.id, substr(NEW.secret_digest, 1, 8));
    END;
    CREATE TRIGGER archived_api_keys_note_addition AFTER INSERT ON archived_api_keys
    WHEN NOT EXISTS (SELECT 1 FROM api_keys WHERE secret_digest = NEW.secret_digest)
    BEGIN
        INSERT INTO key_state_changes (subject, fingerprint)
        VALUES (NEW.id, substr(NEW.secret_digest, 1, 8));
    END;
    CREATE TRIGGER archived_api_keys_note_secret AFTER UPDATE OF secret_digest ON archived_api_keys
    BEGIN
        INSERT INTO key_state_changes (subject, fingerprint)
        VALUES (NEW.id, substr(NEW.secret_digest, 1, 8));
    END;
";

/// The same on PostgreSQL, with functions and triggers as in `m0006_replicas`.
const POSTGRES: &str = "
    ALTER TABLE key_state_changes ADD COLUMN fingerprint bytea;
    CREATE FUNCTION note_secret() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$
    BEGIN
        IF TG_TABLE_NAME = 'archived_api_keys' AND TG_OP = 'INSERT'
            AND EXISTS (SELECT FROM api_keys WHERE secret_digest = NEW.secret_digest)
        THEN
            RETURN NULL;
        END IF;
        INSERT INTO key_state_changes (subject, fingerprint)
        VALUES (NEW.id, substring(NEW.secret_digest FROM 1 FOR 8));
        PERFORM pg_notify('latchkey_key_state', '');
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_addition AFTER INSERT ON api_keys
        FOR EACH ROW EXECUTE FUNCTION note_secret();
    CREATE TRIGGER note_secret AFTER UPDATE OF secret_digest ON api_keys
        FOR EACH ROW EXECUTE FUNCTION note_secret();
    CREATE TRIGGER note_addition AFTER INSERT ON archived_api_keys
        FOR EACH ROW EXECUTE FUNCTION note_secret();
    CREATE TRIGGER note_secret AFTER UPDATE OF secret_digest ON archived_api_keys
        FOR EACH ROW EXECUTE FUNCTION note_secret();
    ALTER TABLE api_keys ENABLE ALWAYS TRIGGER note_addition;
    ALTER TABLE api_keys ENABLE ALWAYS TRIGGER note_secret;
    ALTER TABLE archived_api_keys ENABLE ALWAYS TRIGGER note_addition;
    ALTER TABLE archived_api_keys ENABLE ALWAYS TRIGGER note_secret;
";
