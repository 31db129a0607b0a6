//! Simulation: the verdict on a request that was not sent.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, QueryFilter};

use super::{
    Keys, NOT_FOUND,
    by_secret::{KnownRow, with_tenant},
};
use crate::{
    Error,
    client_address::ClientAddress,
    id::KeyId,
    key::{
        simulation::{SimulatedRequest, Simulation},
        verdict::{Refusal, decide},
    },
    store::entity::api_key,
};

impl Keys<'_> {
    /// The verdict on a request with this key, decided by the function for real requests. It reads the stored key, bypasses the cache and
    /// is not counted as a use.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::Unavailable`].
    pub async fn simulate(
        &self,
        id: KeyId,
        request: &SimulatedRequest,
        now: DateTime<Utc>,
    ) -> Result<Simulation, Error> {
        let verdict = self.simulated_verdict(id, request, now).await?;
        Ok(Simulation::of(&verdict))
    }

    /// [`Self::simulate`] with the refusal in the form of a real verification.
    ///
    /// # Errors
    /// The errors of [`Self::simulate`].
    pub async fn simulated_verdict(
        &self,
        id: KeyId,
        request: &SimulatedRequest,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Refusal>, Error> {
        let row = with_tenant(self.rows())
            .filter(api_key::Column::Id.eq(id.as_uuid()))
            .into_model::<KnownRow>();
        let known = self
            .database
            .with_timeout(row.one(self.database.lookups()))
            .await?
            .ok_or(NOT_FOUND)?
            .into_known(now, self.soon_days())?;
        let client = request
            .ip
            .map_or(ClientAddress::Unknown, ClientAddress::known);
        let at = request.at.unwrap_or(now);
        Ok(decide(
            &known.grant,
            client,
            request.permission.as_ref(),
            at,
        ))
    }
}
