//! Indexes of the audit log for an actor's events of one action, for the command line's events, and for the installation's of one action;
//! and the statistics by which SQLite chooses among the indexes.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0017_audit_combinations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared(INDEXES).await?;
        if connection.get_database_backend() == DbBackend::Sqlite {
            connection.execute_unprepared(SQLITE_STATISTICS).await?;
        }
        Ok(())
    }
}

const INDEXES: &str = "
    CREATE INDEX audit_events_actor_action
        ON audit_events (tenant_id, actor_id, action, at, id);
    CREATE INDEX audit_events_cli
        ON audit_events (tenant_id, actor_kind, at, id) WHERE actor_kind = 'cli';
    CREATE INDEX audit_events_cli_action
        ON audit_events (tenant_id, actor_kind, action, at, id) WHERE actor_kind = 'cli';
    CREATE INDEX audit_events_installation_action
        ON audit_events (action, at, id) WHERE (tenant_id IS NULL OR target_kind = 'tenant');
";

/// Without statistics, SQLite assumes that every index leaves about ten events of a tenant, and reads all events of an action to find those
/// of a key. These numbers are those of a large audit log. Each row has the number of events in the index, then for each column the number
/// of events that are equal in the columns up to it. PostgreSQL gathers its own.
const SQLITE_STATISTICS: &str = "
    ANALYZE sqlite_schema;
    DELETE FROM sqlite_stat1 WHERE tbl = 'audit_events';
    INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
        ('audit_events', 'audit_events_at', '1000000 100000 2 1'),
        ('audit_events', 'audit_events_action', '1000000 100000 10000 2 1'),
        ('audit_events', 'audit_events_actor_id', '1000000 100000 2000 2 1'),
        ('audit_events', 'audit_events_actor_action', '1000000 100000 2000 500 2 1'),
        ('audit_events', 'audit_events_target', '1000000 100000 10 2 1'),
        ('audit_events', 'audit_events_cli', '10000 1000 1000 2 1'),
        ('audit_events', 'audit_events_cli_action', '10000 1000 1000 100 2 1'),
        ('audit_events', 'audit_events_installation', '10000 2 1'),
        ('audit_events', 'audit_events_installation_action', '10000 1000 2 1');
    ANALYZE sqlite_schema;
";
