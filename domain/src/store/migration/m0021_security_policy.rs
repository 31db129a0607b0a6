//! The security policy of each tenant.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
    sea_query::{ColumnDef, Table},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0021_security_policy"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let required = |name: &'static str| {
            ColumnDef::new(name)
                .boolean()
                .not_null()
                .default(false)
                .take()
        };
        let number = |name: &'static str| ColumnDef::new(name).big_integer().take();
        // One column for each statement, because SQLite accepts no more.
        for column in [
            required("policy_expiration_required"),
            number("policy_max_lifetime_days"),
            number("policy_default_lifetime_days"),
            ColumnDef::new("policy_ip_allowlist")
                .text()
                .not_null()
                .default("")
                .take(),
            required("policy_second_factor_required"),
            ColumnDef::new("policy_version")
                .big_integer()
                .not_null()
                .default(1)
                .take(),
        ] {
            let add = Table::alter().table("tenants").add_column(column).take();
            manager.alter_table(add).await?;
        }
        let connection = manager.get_connection();
        let triggers = match connection.get_database_backend() {
            DbBackend::Sqlite => TRIGGER_SQLITE,
            _ => TRIGGER_POSTGRES,
        };
        connection.execute_unprepared(triggers).await?;
        Ok(())
    }
}

/// The trigger of `m0005_hot_path` and `m0006_replicas` with the columns of the policy that affect a verdict or a cached key.
const TRIGGER_SQLITE: &str = "
    DROP TRIGGER tenants_note_change;
    CREATE TRIGGER tenants_note_change AFTER UPDATE OF
        id, slug, name, suspended_at,
        policy_expiration_required, policy_max_lifetime_days, policy_ip_allowlist
        ON tenants
    BEGIN
        INSERT INTO key_state_changes (subject) VALUES (OLD.id);
    END;
";

const TRIGGER_POSTGRES: &str = "
    DROP TRIGGER note_change ON tenants;
    CREATE TRIGGER note_change AFTER UPDATE OF
        id, slug, name, suspended_at,
        policy_expiration_required, policy_max_lifetime_days, policy_ip_allowlist
        ON tenants FOR EACH ROW EXECUTE FUNCTION note_key_state_change();
    ALTER TABLE tenants ENABLE ALWAYS TRIGGER note_change;
";
