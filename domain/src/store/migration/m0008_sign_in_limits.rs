//! Counts of consecutive failed sign-ins for every account that is typed, whether it exists or not; and e-mail addresses in canonical form.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
    sea_query::{ColumnDef, ForeignKey, ForeignKeyAction, Index, Table},
};
use uuid::Uuid;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0008_sign_in_limits"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let accounts = Table::create()
            .table("sign_in_accounts")
            .col(text(backend, "account").not_null().primary_key())
            .col(ColumnDef::new("failures").big_integer().not_null())
            .col(time("last_failed_at").not_null())
            .take();
        let single_tries = Table::create()
            .table("sign_in_single_tries")
            .col(text(backend, "bucket").not_null().primary_key())
            .col(time("tried_at").not_null())
            .take();
        let addresses = Table::create()
            .table("known_addresses")
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(text(backend, "address").not_null())
            .col(time("expires_at").not_null())
            .primary_key(Index::create().col("user_id").col("address"))
            .foreign_key(
                ForeignKey::create()
                    .name("known_addresses_user")
                    .from("known_addresses", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        for table in [accounts, single_tries, addresses] {
            manager.create_table(table).await?;
        }
        // The order in which accounts are deleted if there are too many.
        let fewest_failures = Index::create()
            .table("sign_in_accounts")
            .name("sign_in_accounts_failures")
            .col("failures")
            .col("last_failed_at")
            .take();
        let oldest_try = Index::create()
            .table("sign_in_single_tries")
            .name("sign_in_single_tries_tried_at")
            .col("tried_at")
            .take();
        for index in [fewest_failures, oldest_try] {
            manager.create_index(index).await?;
        }
        write_canonical_emails(manager.get_connection()).await
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

/// The address with its domain in ASCII by UTS 46 (IDNA); `None` if it has that form already or has no such form.
///
/// A copy of the rule that applied when this migration was released: a released migration calls no live code.
fn canonical(stored: &str) -> Option<String> {
    let address = stored.to_lowercase();
    let (local, domain) = address.rsplit_once('@')?;
    let ascii = idna::domain_to_ascii(domain).ok()?;
    let canonical = format!("{local}@{ascii}");
    (canonical != stored).then_some(canonical)
}

/// Rewrites addresses whose domain was stored in another spelling than the canonical one.
///
/// If the canonical spelling already belongs to another user, that user keeps it, because browsers' e-mail fields send that spelling; the
/// other row is not changed.
async fn write_canonical_emails(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let users = connection
        .query_all_raw(Statement::from_string(
            backend,
            "SELECT id, email FROM users",
        ))
        .await?;
    for user in users {
        let id: Uuid = user.try_get("", "id")?;
        let stored: String = user.try_get("", "email")?;
        let Some(canonical) = canonical(&stored) else {
            continue;
        };
        let update = Statement::from_sql_and_values(
            backend,
            "UPDATE users SET email = $1 WHERE id = $2 \
             AND NOT EXISTS (SELECT 1 FROM users AS other WHERE other.email = $1)",
            [canonical.as_str().into(), id.into()],
        );
        let updated = connection.execute_raw(update).await?;
        if updated.rows_affected() == 0 {
            tracing::warn!(
                email = %stored,
                canonical = %canonical,
                "two users have one e-mail address in two spellings; sign-in finds the canonical one"
            );
        }
    }
    Ok(())
}
