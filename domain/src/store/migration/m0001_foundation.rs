//! Tenants, users with their sessions, authorization groups, API keys, the audit log.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
    sea_query::{
        ColumnDef, Expr, ForeignKey, ForeignKeyAction, Index, IndexCreateStatement, Table,
        TableCreateStatement,
    },
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_foundation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let columns = Columns { backend };
        for (table, indexes) in [
            tenants(columns),
            users(columns),
            sessions(columns),
            known_devices(columns),
            sign_in_buckets(columns),
            authorization_groups(columns),
            api_keys(columns),
            audit_events(columns),
        ] {
            manager.create_table(table).await?;
            for index in indexes {
                manager.create_index(index).await?;
            }
        }
        let append_only = match backend {
            DbBackend::Sqlite => APPEND_ONLY_SQLITE,
            _ => APPEND_ONLY_POSTGRES,
        };
        manager
            .get_connection()
            .execute_unprepared(append_only)
            .await?;
        Ok(())
    }
}

/// A table and its indexes.
type NewTable = (TableCreateStatement, Vec<IndexCreateStatement>);

/// Columns with types that both databases support. They are nullable unless `not_null` follows.
#[derive(Clone, Copy)]
struct Columns {
    backend: DbBackend,
}

impl Columns {
    fn uuid(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).uuid().take()
    }

    /// Compared and sorted by bytes, as SQLite does by default.
    fn text(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.text();
        if self.backend == DbBackend::Postgres {
            column.extra("COLLATE \"C\"");
        }
        column
    }

    fn time(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).timestamp_with_time_zone().take()
    }

    fn date(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).date().take()
    }

    fn number(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).big_integer().take()
    }

    /// A SHA-256 digest of 32 bytes.
    fn digest(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).binary_len(32).take()
    }
}

fn tenants(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("tenants")
        .col(columns.uuid("id").not_null().primary_key())
        .col(columns.text("slug").not_null())
        .col(columns.text("name").not_null())
        .col(columns.number("key_limit").not_null())
        .col(columns.time("suspended_at"))
        .col(columns.time("created_at").not_null())
        .col(columns.time("updated_at").not_null())
        .col(columns.number("version").not_null())
        .take();
    (table, vec![unique("tenants", "tenants_slug", &["slug"])])
}

fn users(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("users")
        .col(columns.uuid("id").not_null().primary_key())
        .col(columns.uuid("tenant_id"))
        .col(columns.text("email").not_null())
        .col(columns.text("name").not_null())
        .col(columns.text("password_hash").not_null())
        .col(columns.text("role").not_null())
        .col(columns.number("consecutive_failures").not_null())
        .col(columns.time("disabled_at"))
        .col(columns.time("created_at").not_null())
        .col(columns.time("updated_at").not_null())
        .col(columns.number("version").not_null())
        .check(Expr::cust("(role = 'super_user') = (tenant_id IS NULL)"))
        .foreign_key(
            ForeignKey::create()
                .name("users_tenant")
                .from("users", "tenant_id")
                .to("tenants", "id"),
        )
        .take();
    (
        table,
        vec![
            unique("users", "users_email", &["email"]),
            index("users", "users_tenant_id", &["tenant_id"]),
        ],
    )
}

fn sessions(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("sessions")
        .col(columns.digest("token_digest").not_null().primary_key())
        .col(columns.uuid("user_id").not_null())
        .col(columns.time("created_at").not_null())
        .col(columns.time("last_seen_at").not_null())
        .col(columns.time("expires_at").not_null())
        .foreign_key(
            ForeignKey::create()
                .name("sessions_user")
                .from("sessions", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take();
    (
        table,
        vec![
            index("sessions", "sessions_user_id", &["user_id"]),
            index("sessions", "sessions_expires_at", &["expires_at"]),
        ],
    )
}

fn known_devices(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("known_devices")
        .col(columns.digest("token_digest").not_null().primary_key())
        .col(columns.uuid("user_id").not_null())
        .col(columns.time("created_at").not_null())
        .col(columns.time("expires_at").not_null())
        .foreign_key(
            ForeignKey::create()
                .name("known_devices_user")
                .from("known_devices", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take();
    (
        table,
        vec![index(
            "known_devices",
            "known_devices_user_id",
            &["user_id"],
        )],
    )
}

fn sign_in_buckets(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("sign_in_buckets")
        .col(columns.text("bucket").not_null().primary_key())
        .col(columns.time("window_started_at").not_null())
        .col(columns.number("failures").not_null())
        .col(ColumnDef::new("refusal_audited").boolean().not_null())
        .take();
    (table, vec![])
}

fn authorization_groups(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("authorization_groups")
        .col(columns.uuid("id").not_null().primary_key())
        .col(columns.uuid("tenant_id").not_null())
        .col(columns.text("name").not_null())
        .col(columns.text("kind").not_null())
        .col(columns.text("permissions").not_null())
        .col(columns.time("created_at").not_null())
        .col(columns.time("updated_at").not_null())
        .col(columns.number("version").not_null())
        .foreign_key(
            ForeignKey::create()
                .name("authorization_groups_tenant")
                .from("authorization_groups", "tenant_id")
                .to("tenants", "id"),
        )
        .take();
    (
        table,
        vec![
            // Referenced by the foreign key of `api_keys`.
            unique(
                "authorization_groups",
                "authorization_groups_id",
                &["tenant_id", "id"],
            ),
            unique(
                "authorization_groups",
                "authorization_groups_name",
                &["tenant_id", "name"],
            ),
        ],
    )
}

fn api_keys(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("api_keys")
        .col(columns.uuid("id").not_null().primary_key())
        .col(columns.uuid("tenant_id").not_null())
        .col(columns.uuid("group_id").not_null())
        .col(columns.text("name").not_null())
        .col(columns.text("name_lower").not_null())
        .col(columns.text("description").not_null())
        .col(columns.text("description_lower").not_null())
        .col(columns.text("hint").not_null())
        .col(columns.digest("secret_digest").not_null())
        .col(columns.date("expires_on"))
        .col(columns.text("ip_allowlist").not_null())
        .col(columns.text("created_by_kind").not_null())
        .col(columns.uuid("created_by_id"))
        .col(columns.text("created_by_name").not_null())
        .col(columns.time("created_at").not_null())
        .col(columns.time("updated_at").not_null())
        .col(columns.time("rotated_at"))
        .col(columns.time("revoked_at"))
        .col(columns.time("last_used_at"))
        .col(columns.text("last_used_ip"))
        .col(columns.number("version").not_null())
        .foreign_key(
            ForeignKey::create()
                .name("api_keys_tenant")
                .from("api_keys", "tenant_id")
                .to("tenants", "id"),
        )
        // The foreign key includes the tenant, so that the database itself refuses a key with another tenant's group.
        .foreign_key(
            ForeignKey::create()
                .name("api_keys_group")
                .from("api_keys", ("tenant_id", "group_id"))
                .to("authorization_groups", ("tenant_id", "id")),
        )
        .take();
    (
        table,
        vec![
            unique("api_keys", "api_keys_id", &["tenant_id", "id"]),
            unique("api_keys", "api_keys_secret_digest", &["secret_digest"]),
            index("api_keys", "api_keys_group_id", &["tenant_id", "group_id"]),
            index(
                "api_keys",
                "api_keys_created_at",
                &["tenant_id", "created_at", "id"],
            ),
            index(
                "api_keys",
                "api_keys_revoked_at",
                &["tenant_id", "revoked_at"],
            ),
            index(
                "api_keys",
                "api_keys_name_lower",
                &["tenant_id", "name_lower", "id"],
            ),
        ],
    )
}

/// No foreign keys: audit events outlive the rows to which they refer.
fn audit_events(columns: Columns) -> NewTable {
    let table = Table::create()
        .table("audit_events")
        .col(columns.uuid("id").not_null().primary_key())
        .col(columns.uuid("tenant_id"))
        .col(columns.time("at").not_null())
        .col(columns.text("action").not_null())
        .col(columns.text("actor_kind").not_null())
        .col(columns.uuid("actor_id"))
        .col(columns.text("actor_name").not_null())
        .col(columns.text("target_kind").not_null())
        .col(columns.uuid("target_id"))
        .col(columns.text("target_name").not_null())
        .col(columns.text("changes").not_null())
        .col(columns.text("client_ip"))
        .take();
    (
        table,
        vec![
            // Scanned backwards: the newest event first.
            index(
                "audit_events",
                "audit_events_at",
                &["tenant_id", "at", "id"],
            ),
        ],
    )
}

fn unique(
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    index(table, name, columns).unique().take()
}

fn index(
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.table(table).name(name);
    for column in columns {
        index.col(*column);
    }
    index
}

const APPEND_ONLY_SQLITE: &str = "
    CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
        BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;
    CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
        BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;
";

const APPEND_ONLY_POSTGRES: &str = "
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'audit events are append-only'; END;
    $$;
    CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
";
