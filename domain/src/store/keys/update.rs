//! Edits of a key: name, description, group and allowlist. Only rotation changes the secret and the expiration date.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, DatabaseTransaction};
use serde_json::{Map, Value, json};

use super::{
    Keys,
    group::{current_group, group_for_keys},
};
use crate::{
    Error,
    audit::AuditAction,
    id::{GroupId, KeyId},
    key::{ApiKey, KeyChanges, own_grant::Reach},
    permission::PermissionSet,
    propagation::Written,
    store::{clock, entity::api_key, stored_policy::stored_allowlist, write::Write},
};

impl Keys<'_> {
    /// Edits a key. `expected_version`, if given, is the [`ApiKey::version`] on which the edit is based. An edit without a difference
    /// writes nothing: no new version, no audit event.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's key; [`Error::KeyRevoked`]; [`Error::Stale`] if the key's version is not
    /// `expected_version`; [`Error::Invalid`] for a group that is not one of the tenant's groups for keys; if a key acts,
    /// [`Error::ExceedsOwnGrant`] and [`Error::ActorRefused`]; [`Error::Unavailable`].
    pub async fn update(
        &self,
        id: KeyId,
        changes: KeyChanges,
        expected_version: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Written<ApiKey>, Error> {
        let now = clock::stored(now);
        self.write(Write::ChangesVerdicts, id, now, async |transaction| {
            let before = self.lock(transaction, id).await?;
            let own_grant = self.own_grant(transaction, now).await?;
            if before.revoked_at.is_some() {
                return Err(Error::KeyRevoked);
            }
            if expected_version.is_some_and(|version| version != before.version) {
                return Err(Error::Stale);
            }
            if let Some(own) = own_grant {
                let reach = self.reach_of(transaction, &before).await?;
                // The group that the key has already must not be locked: a rename of the group locks it before its keys.
                let group = changes
                    .group_id
                    .filter(|id| id.as_uuid() != before.group_id);
                let permissions = match group {
                    Some(id) => chosen_permissions(self, transaction, id).await?,
                    None => reach.permissions.clone(),
                };
                let allowlist = changes.allowlist.as_ref().unwrap_or(&reach.allowlist);
                let after = Reach {
                    permissions,
                    expires_on: reach.expires_on,
                    allowlist: allowlist.clone(),
                };
                own.check_changed(id, &reach, &after)?;
            }
            let (row, differences) = differences(self, transaction, &before, changes).await?;
            if !differences.is_empty() {
                let change = (AuditAction::ApiKeyUpdated, differences.into());
                self.change(transaction, &before, row, change, now).await?;
            }
            self.read(transaction, id, now).await
        })
        .await
    }
}

/// The permissions of the group that the edit chooses.
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

/// The columns that `wanted` changes, and the same changes for the audit event. Both are empty without a difference.
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
        row.name_lower = Set(crate::text::lowered(name.as_str()));
        row.name = Set(name.into());
    }
    if let Some(description) = wanted.description
        && description.as_str() != before.description
    {
        differences.insert(
            "description".to_owned(),
            json!({ "before": before.description, "after": description }),
        );
        row.description_lower = Set(crate::text::lowered(description.as_str()));
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
        row.group_name_lower = Set(crate::text::lowered(&group.name));
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
