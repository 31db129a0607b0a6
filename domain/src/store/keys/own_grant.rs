//! The grant of the acting key, read in the transaction of the change.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};

use super::{
    Keys,
    by_secret::{KnownRow, with_tenant},
};
use crate::{
    Error,
    actor::ActorKind,
    client_address::ClientAddress,
    id::{GroupId, KeyId},
    key::{
        own_grant::{OwnGrant, Reach},
        verdict::{Refusal, decide},
    },
    permission::PermissionSet,
    store::{
        entity::{api_key, authorization_group},
        error::damaged,
        stored_policy::stored_allowlist,
    },
};

impl Keys<'_> {
    /// The grant of the acting key; `None` if a person or the command line acts, because no grant limits those. The key is verified again
    /// by the rule of the request, because it may have been revoked or have lost the permission since.
    ///
    /// # Errors
    /// [`Error::ActorRefused`].
    pub(in crate::store) async fn own_grant(
        &self,
        transaction: &DatabaseTransaction,
        now: DateTime<Utc>,
    ) -> Result<Option<OwnGrant>, Error> {
        let actor = self.scope.actor();
        if actor.who.kind != ActorKind::ApiKey {
            return Ok(None);
        }
        let id = self.own_id()?.as_uuid();
        let client = actor.client.unwrap_or(ClientAddress::Unknown);
        let known = with_tenant(self.rows())
            .filter(api_key::Column::Id.eq(id))
            .into_model::<KnownRow>()
            .one(transaction)
            .await?
            .ok_or(Error::ActorRefused(Refusal::InvalidApiKey))?
            .into_known(now, self.soon_days())?;
        decide(&known.grant, client, self.scope.asked(), now).map_err(Error::ActorRefused)?;
        Ok(Some(OwnGrant {
            id: known.key.id,
            reach: Reach {
                permissions: known.grant.permissions,
                expires_on: known.grant.expires_on,
                allowlist: known.key.ip_allowlist,
            },
        }))
    }

    /// The [`Reach`] of a stored key.
    pub(super) async fn reach_of(
        &self,
        transaction: &DatabaseTransaction,
        row: &api_key::Model,
    ) -> Result<Reach, Error> {
        Ok(Reach {
            permissions: self
                .permissions_of(transaction, row.group_id.into())
                .await?,
            expires_on: row.expires_on.map(Into::into),
            allowlist: stored_allowlist(&row.ip_allowlist)?,
        })
    }

    /// The permissions of a group of the tenant.
    pub(super) async fn permissions_of(
        &self,
        transaction: &DatabaseTransaction,
        id: GroupId,
    ) -> Result<PermissionSet, Error> {
        use authorization_group::Column;
        let permissions = authorization_group::Entity::find()
            .select_only()
            .column(Column::Permissions)
            .filter(Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
            .filter(Column::Id.eq(id.as_uuid()))
            .into_tuple::<String>()
            .one(transaction)
            .await?
            .ok_or_else(|| damaged("group of a key"))?;
        serde_json::from_str(&permissions).map_err(|_| damaged("set of permissions"))
    }

    /// The acting key's identifier.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if no key acts.
    pub(super) fn own_id(&self) -> Result<KeyId, Error> {
        let who = &self.scope.actor().who;
        match (who.kind, who.id) {
            (ActorKind::ApiKey, Some(id)) => Ok(id.into()),
            _ => Err(Error::Forbidden),
        }
    }
}
