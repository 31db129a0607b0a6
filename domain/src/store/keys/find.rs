//! Finds keys by a part of their name or by the last four characters of their secret, for the audit log's filter by key.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Statement,
};
use uuid::Uuid;

use super::{Keys, filter::Search};
use crate::{
    Error,
    id::KeyId,
    store::{
        connection::lists::ListConnection,
        entity::api_key::{self, Column},
    },
};

/// The identifiers of at most `limit` keys: first those whose secret ends in the text, then those whose name contains it, by name.
pub(super) async fn ids(
    keys: &Keys<'_>,
    search: &Search,
    lists: &ListConnection,
    limit: u64,
) -> Result<Vec<KeyId>, Error> {
    let backend = keys.database.backend();
    lists
        .with_timeout(async {
            let mut found: Vec<KeyId> = Vec::new();
            for statement in statements(keys, search, backend, limit) {
                for row in lists.query_all_raw(statement).await? {
                    let id = KeyId::from(row.try_get::<Uuid>("", "id")?);
                    if !found.contains(&id) {
                        found.push(id);
                    }
                }
            }
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok::<_, Error>(found)
        })
        .await
}

/// One statement for each index: hints, names.
pub(super) fn statements(
    keys: &Keys<'_>,
    search: &Search,
    backend: DbBackend,
    limit: u64,
) -> Vec<Statement> {
    let select = |condition: Condition| {
        api_key::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::TenantId.eq(keys.scope.tenant_id().as_uuid()))
            .filter(condition)
            .limit(limit)
    };
    let by_hint = search
        .hint_condition(backend)
        .map(|condition| select(condition).order_by_asc(Column::Id));
    let by_name = search.name_condition(backend).map(|condition| {
        select(condition)
            .order_by_asc(Column::NameLower)
            .order_by_asc(Column::Id)
    });
    (by_hint.into_iter().chain(by_name))
        .map(|query| query.build(backend))
        .collect()
}
