//! Indexes for lists of very many keys, key counts, an index of the audit log for the warning on an edit, and idempotency keys.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
    sea_query::{ColumnDef, ForeignKey, Index, Table, TableCreateStatement},
};
use uuid::Uuid;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_lists_and_repeats"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let is_sqlite = connection.get_database_backend() == DbBackend::Sqlite;
        connection
            .execute_unprepared(if is_sqlite {
                GROUP_NAME_SQLITE
            } else {
                GROUP_NAME_POSTGRES
            })
            .await?;
        write_group_names(connection).await?;
        connection.execute_unprepared(INDEXES).await?;
        manager.create_table(api_key_counts()).await?;
        connection.execute_unprepared(COUNT_KEYS).await?;
        connection
            .execute_unprepared(if is_sqlite {
                KEEP_COUNTING_SQLITE
            } else {
                KEEP_COUNTING_POSTGRES
            })
            .await?;
        manager.create_table(one_time_requests(is_sqlite)).await?;
        connection.execute_unprepared(OLDEST_REQUESTS).await?;
        Ok(())
    }
}

/// The default serves this migration only: the program always writes the name.
const GROUP_NAME_SQLITE: &str =
    "ALTER TABLE api_keys ADD COLUMN group_name_lower text NOT NULL DEFAULT ''";

/// Compared and sorted by bytes, like every text.
const GROUP_NAME_POSTGRES: &str =
    "ALTER TABLE api_keys ADD COLUMN group_name_lower text COLLATE \"C\" NOT NULL DEFAULT ''";

/// The program lower-cases the names, because SQLite lower-cases ASCII letters only.
async fn write_group_names(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let groups = connection
        .query_all_raw(Statement::from_string(
            backend,
            "SELECT tenant_id, id, name FROM authorization_groups",
        ))
        .await?;
    for group in groups {
        let tenant: Uuid = group.try_get("", "tenant_id")?;
        let id: Uuid = group.try_get("", "id")?;
        let name: String = group.try_get("", "name")?;
        connection
            .execute_raw(Statement::from_sql_and_values(
                backend,
                "UPDATE api_keys SET group_name_lower = $1 WHERE tenant_id = $2 AND group_id = $3",
                [lowered(&name).into(), tenant.into(), id.into()],
            ))
            .await?;
    }
    Ok(())
}

/// A copy of the rule that applied when this migration was released. A released migration calls no live code: a later change of the rule
/// would change what it writes.
fn lowered(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}

/// One index for each sort order of the list. Each begins with the tenant, has the keys in their order, and includes the columns of
/// filters, so that a filtered page is read from the index alone. The order by status consists of two lists, active and revoked keys. No
/// index begins with a filter's column: SQLite, which has no estimate of how many rows a filter leaves, would use it and sort the result.
/// For a search SQLite uses the narrowest index; with `api_keys_id` that is the order in which keys were created, which is their order in
/// the file. (So the index of groups is dropped: `api_keys_by_group` finds a group's keys as well.)
const INDEXES: &str = "
    DROP INDEX api_keys_created_at;
    DROP INDEX api_keys_group_id;
    DROP INDEX api_keys_name_lower;
    DROP INDEX api_keys_revoked_at;
    CREATE INDEX api_keys_by_name
        ON api_keys (tenant_id, name_lower, id, revoked_at, expires_on);
    CREATE INDEX api_keys_by_group
        ON api_keys (tenant_id, group_name_lower, id, revoked_at, expires_on);
    CREATE INDEX api_keys_by_expiration
        ON api_keys (tenant_id, expires_on, id, revoked_at);
    CREATE INDEX api_keys_by_last_use
        ON api_keys (tenant_id, last_used_at, id, revoked_at, expires_on);
    CREATE INDEX api_keys_by_creation
        ON api_keys (tenant_id, created_at, id, revoked_at, expires_on);
    CREATE INDEX api_keys_active
        ON api_keys (tenant_id, id, revoked_at, expires_on) WHERE revoked_at IS NULL;
    CREATE INDEX api_keys_revoked
        ON api_keys (tenant_id, id, revoked_at, expires_on) WHERE revoked_at IS NOT NULL;
    CREATE INDEX audit_events_target
        ON audit_events (tenant_id, target_id, at, id);
";

/// The number of a tenant's keys, active or revoked, that expire on a day. A key that never expires counts under the day `infinity`, which
/// sorts after every other day: as a date in PostgreSQL, as text in SQLite.
fn api_key_counts() -> TableCreateStatement {
    Table::create()
        .table("api_key_counts")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("revoked").boolean().not_null())
        .col(ColumnDef::new("expires_on").date().not_null())
        .col(ColumnDef::new("keys").big_integer().not_null())
        .primary_key(
            Index::create()
                .col("tenant_id")
                .col("revoked")
                .col("expires_on"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("api_key_counts_tenant")
                .from("api_key_counts", "tenant_id")
                .to("tenants", "id"),
        )
        .take()
}

const COUNT_KEYS: &str = "
    INSERT INTO api_key_counts (tenant_id, revoked, expires_on, keys)
        SELECT tenant_id, revoked_at IS NOT NULL, COALESCE(expires_on, 'infinity'), count(*)
        FROM api_keys GROUP BY 1, 2, 3;
";

const KEEP_COUNTING_SQLITE: &str = "
    CREATE TRIGGER api_keys_count_added AFTER INSERT ON api_keys BEGIN
        INSERT INTO api_key_counts (tenant_id, revoked, expires_on, keys)
            VALUES (NEW.tenant_id, NEW.revoked_at IS NOT NULL, COALESCE(NEW.expires_on, 'infinity'), 1)
            ON CONFLICT (tenant_id, revoked, expires_on) DO UPDATE SET keys = keys + 1;
    END;
    CREATE TRIGGER api_keys_count_removed AFTER DELETE ON api_keys BEGIN
        UPDATE api_key_counts SET keys = keys - 1
            WHERE tenant_id = OLD.tenant_id AND revoked = (OLD.revoked_at IS NOT NULL)
            AND expires_on = COALESCE(OLD.expires_on, 'infinity');
    END;
    CREATE TRIGGER api_keys_count_changed AFTER UPDATE OF tenant_id, revoked_at, expires_on ON api_keys
        WHEN OLD.tenant_id <> NEW.tenant_id OR (OLD.revoked_at IS NULL) <> (NEW.revoked_at IS NULL)
            OR OLD.expires_on IS NOT NEW.expires_on
    BEGIN
        UPDATE api_key_counts SET keys = keys - 1
            WHERE tenant_id = OLD.tenant_id AND revoked = (OLD.revoked_at IS NOT NULL)
            AND expires_on = COALESCE(OLD.expires_on, 'infinity');
        INSERT INTO api_key_counts (tenant_id, revoked, expires_on, keys)
            VALUES (NEW.tenant_id, NEW.revoked_at IS NOT NULL, COALESCE(NEW.expires_on, 'infinity'), 1)
            ON CONFLICT (tenant_id, revoked, expires_on) DO UPDATE SET keys = keys + 1;
    END;
";

/// Insertions and deletions are counted per statement, so that very many keys are counted at once. A change locks its two counts in a fixed
/// order, so that two concurrent changes cannot deadlock.
const KEEP_COUNTING_POSTGRES: &str = "
    CREATE FUNCTION count_added_api_keys() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO api_key_counts AS counts (tenant_id, revoked, expires_on, keys)
            SELECT tenant_id, revoked_at IS NOT NULL, COALESCE(expires_on, 'infinity'), count(*)
            FROM added GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (tenant_id, revoked, expires_on)
            DO UPDATE SET keys = counts.keys + EXCLUDED.keys;
        RETURN NULL;
    END;
    $$;
    CREATE FUNCTION count_removed_api_keys() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO api_key_counts AS counts (tenant_id, revoked, expires_on, keys)
            SELECT tenant_id, revoked_at IS NOT NULL, COALESCE(expires_on, 'infinity'), -count(*)
            FROM removed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (tenant_id, revoked, expires_on)
            DO UPDATE SET keys = counts.keys + EXCLUDED.keys;
        RETURN NULL;
    END;
    $$;
    CREATE FUNCTION count_changed_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO api_key_counts AS counts (tenant_id, revoked, expires_on, keys)
            SELECT * FROM (VALUES
                (OLD.tenant_id, OLD.revoked_at IS NOT NULL, COALESCE(OLD.expires_on, 'infinity'), -1),
                (NEW.tenant_id, NEW.revoked_at IS NOT NULL, COALESCE(NEW.expires_on, 'infinity'), 1)
            ) AS moved ORDER BY 1, 2, 3
            ON CONFLICT (tenant_id, revoked, expires_on)
            DO UPDATE SET keys = counts.keys + EXCLUDED.keys;
        RETURN NULL;
    END;
    $$;
    CREATE TRIGGER api_keys_count_added AFTER INSERT ON api_keys
        REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION count_added_api_keys();
    CREATE TRIGGER api_keys_count_removed AFTER DELETE ON api_keys
        REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION count_removed_api_keys();
    CREATE TRIGGER api_keys_count_changed AFTER UPDATE OF tenant_id, revoked_at, expires_on ON api_keys
        FOR EACH ROW WHEN (
            OLD.tenant_id <> NEW.tenant_id OR (OLD.revoked_at IS NULL) <> (NEW.revoked_at IS NULL)
            OR OLD.expires_on IS DISTINCT FROM NEW.expires_on
        ) EXECUTE FUNCTION count_changed_api_key();
";

fn one_time_requests(is_sqlite: bool) -> TableCreateStatement {
    let text = |name: &'static str| {
        let mut column = ColumnDef::new(name);
        column.text().not_null();
        if !is_sqlite {
            column.extra("COLLATE \"C\"");
        }
        column
    };
    Table::create()
        .table("one_time_requests")
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(text("scope"))
        .col(text("token"))
        .col(ColumnDef::new("digest").binary_len(32).not_null())
        .col(ColumnDef::new("key_id").uuid().not_null())
        .col(
            ColumnDef::new("created_at")
                .timestamp_with_time_zone()
                .not_null(),
        )
        .primary_key(Index::create().col("tenant_id").col("scope").col("token"))
        // The foreign key includes the tenant, so that the database itself refuses another tenant's key.
        .foreign_key(
            ForeignKey::create()
                .name("one_time_requests_key")
                .from("one_time_requests", ("tenant_id", "key_id"))
                .to("api_keys", ("tenant_id", "id")),
        )
        .take()
}

/// The oldest rows are deleted first.
const OLDEST_REQUESTS: &str =
    "CREATE INDEX one_time_requests_created_at ON one_time_requests (tenant_id, created_at);";
