//! Editing a key: name, description, group and allowlist, never what rotation changes.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, DatabaseTransaction};
use serde_json::{Map, Value, json};

use super::{
    Keys,
    group::{current_group, group_for_keys},
    row::{lowered, stored_allowlist},
};
use crate::{
    Error,
    audit::AuditAction,
    id::{GroupId, KeyId},
    key::{ChangedKey, KeyChanges, own_grant::Reach},
    permission::PermissionSet,
    store::{
        clock,
        entity::api_key,
        idempotency::{IdempotencyKey, Idempotent},
    },
};

pub(super) async fn update(
    keys: &Keys<'_>,
    id: KeyId,
    changes: KeyChanges,
    expected_version: Option<i64>,
    idempotency: Option<&IdempotencyKey>,
    now: DateTime<Utc>,
) -> Result<Idempotent<ChangedKey>, Error> {
    let now = clock::stored(now);
    let transaction = keys.database.begin_write().await?;
    let edited = keys
        .database
        .with_timeout(async {
            if let Some(key) = keys.find_done(&transaction, idempotency, now).await? {
                return Ok(Idempotent::Repeated { key });
            }
            let before = keys.lock(&transaction, id).await?;
            let own_grant = keys.own_grant(&transaction, now).await?;
            if before.revoked_at.is_some() {
                return Err(Error::KeyRevoked);
            }
            if expected_version.is_some_and(|version| version != before.version) {
                return Err(Error::Stale);
            }
            if let Some(own) = own_grant {
                let reach = keys.reach_of(&transaction, &before).await?;
                let permissions = match changes.group_id {
                    Some(id) => chosen_permissions(keys, &transaction, id).await?,
                    None => reach.permissions.clone(),
                };
                let after = Reach {
                    permissions,
                    expires_on: reach.expires_on,
                    allowlist: changes
                        .allowlist
                        .as_ref()
                        .unwrap_or(&reach.allowlist)
                        .clone(),
                };
                own.check_changed(id, &reach, &after)?;
            }
            let (row, differences) = differences(keys, &transaction, &before, changes).await?;
            if !differences.is_empty() {
                keys.change(
                    &transaction,
                    &before,
                    row,
                    (AuditAction::ApiKeyUpdated, differences.into()),
                    now,
                )
                .await?;
            }
            keys.remember(&transaction, idempotency, id, now).await?;
            Ok(Idempotent::Done(keys.read(&transaction, id, now).await?))
        })
        .await;
    let (edited, receipt) = keys.database.end_change(transaction, edited).await?;
    Ok(edited.map(|key| ChangedKey { key, receipt }))
}

/// What the group allows that was chosen for a key.
async fn chosen_permissions(
    keys: &Keys<'_>,
    transaction: &DatabaseTransaction,
    id: GroupId,
) -> Result<PermissionSet, Error> {
    let group = group_for_keys(keys, transaction, id)
        .await?
        .map_err(|error| Error::Invalid(vec![error]))?;
    keys.permissions_of(transaction, group.id).await
}

/// What `wanted` changes of the key: the columns to write, and the same for the trail, before and after. Nothing where it is so
/// already.
async fn differences(
    keys: &Keys<'_>,
    transaction: &DatabaseTransaction,
    before: &api_key::Model,
    wanted: KeyChanges,
) -> Result<(api_key::ActiveModel, Map<String, Value>), Error> {
    let mut row = api_key::ActiveModel::default();
    let mut differences = Map::new();
    if let Some(name) = wanted.name
        && name.as_str() != before.name
    {
        differences.insert(
            "name".to_owned(),
            json!({ "before": before.name, "after": name }),
        );
        row.name_lower = Set(lowered(name.as_str()));
        row.name = Set(name.into());
    }
    if let Some(description) = wanted.description
        && description.as_str() != before.description
    {
        differences.insert(
            "description".to_owned(),
            json!({ "before": before.description, "after": description }),
        );
        row.description_lower = Set(lowered(description.as_str()));
        row.description = Set(description.into());
    }
    if let Some(id) = wanted.group_id
        && id.as_uuid() != before.group_id
    {
        let group = group_for_keys(keys, transaction, id)
            .await?
            .map_err(|error| Error::Invalid(vec![error]))?;
        let replaced = current_group(keys, transaction, before.group_id.into()).await?;
        differences.insert(
            "authorization_group".to_owned(),
            json!({ "before": replaced, "after": group }),
        );
        row.group_id = Set(group.id.as_uuid());
        row.group_name_lower = Set(lowered(&group.name));
    }
    if let Some(allowlist) = wanted.allowlist {
        let lines = allowlist.to_lines();
        if lines != before.ip_allowlist {
            differences.insert(
                "ip_allowlist".to_owned(),
                json!({ "before": stored_allowlist(&before.ip_allowlist)?, "after": allowlist }),
            );
            row.ip_allowlist = Set(lines);
        }
    }
    Ok((row, differences))
}
