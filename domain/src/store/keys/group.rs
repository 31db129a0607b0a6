//! The groups that a key can have.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};

use super::Keys;
use crate::{
    Error, FieldError,
    group::{GroupRef, GroupType},
    id::GroupId,
    key::form::CHOOSE_A_GROUP,
    store::{
        entity::authorization_group::{Column, Entity},
        error::damaged,
    },
};

/// The chosen group, if it is a group of the tenant of type `tenant_api_key`; otherwise the error of the field.
pub(super) async fn group_for_keys(
    keys: &Keys<'_>,
    connection: &impl ConnectionTrait,
    id: GroupId,
) -> Result<Result<GroupRef, FieldError>, Error> {
    let name = name_of(keys, id)
        .filter(Column::Kind.eq(GroupType::TenantApiKey.as_str()))
        .filter(Column::DeletedAt.is_null())
        // Prevents the deletion of the group before the key refers to it.
        .lock_shared()
        .into_tuple()
        .one(connection)
        .await?;
    Ok(name
        .map(|name| GroupRef { id, name })
        .ok_or_else(|| FieldError::new("authorization_group_id", CHOOSE_A_GROUP)))
}

/// The group of a key.
pub(super) async fn current_group(
    keys: &Keys<'_>,
    connection: &impl ConnectionTrait,
    id: GroupId,
) -> Result<GroupRef, Error> {
    let name = name_of(keys, id).into_tuple().one(connection).await?;
    name.map(|name| GroupRef { id, name })
        .ok_or_else(|| damaged("authorization group"))
}

fn name_of(keys: &Keys<'_>, id: GroupId) -> Select<Entity> {
    Entity::find()
        .select_only()
        .column(Column::Name)
        .filter(Column::TenantId.eq(keys.scope.tenant_id().as_uuid()))
        .filter(Column::Id.eq(id.as_uuid()))
}
