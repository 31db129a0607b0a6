//! A preview of a changed allowlist: the addresses of the last days that it would refuse.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::DatabaseConnection;
use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Keys,
    key_usage::{first_day, uses_since},
    usage::{OTHER, UNKNOWN, read},
};
use crate::{
    Error,
    client_address::ClientAddress,
    id::KeyId,
    key::{
        allowlist::{Addresses, Allowlist},
        preview::{AllowlistPreview, PreviewedAddress},
        today,
        usage::ADDRESS_DAYS,
    },
    store::{error::damaged, stored_policy::stored_allowlist},
};

impl Keys<'_> {
    /// The addresses that used a key in the last [`ADDRESS_DAYS`] days and that `allowlist` or the tenant's own would refuse. Exact for the
    /// stored addresses.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another tenant's; [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn preview_allowlist(
        &self,
        id: KeyId,
        allowlist: &Allowlist,
        now: DateTime<Utc>,
    ) -> Result<AllowlistPreview, Error> {
        let last_day = today(now);
        let first_day = first_day(last_day, ADDRESS_DAYS);
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        let (rows, tenant) = lists
            .with_timeout(async {
                self.row_of(reader, id).await?;
                let rows = uses_since(id, first_day).all(reader).await?;
                Ok::<_, Error>((rows, self.tenant(reader).await?))
            })
            .await?;
        let mut last_dates = BTreeMap::<String, NaiveDate>::new();
        let mut other_requests = 0;
        for row in rows {
            if row.address == OTHER {
                other_requests += read(row.count)?;
                continue;
            }
            let date = last_dates.entry(row.address).or_insert(row.day);
            *date = Ord::max(*date, row.day);
        }
        let addresses = last_dates.len() as u64;
        let admitted = Addresses::from(allowlist);
        let of_tenant = Addresses::from(&stored_allowlist(&tenant.policy_ip_allowlist)?);
        let mut refused = Vec::new();
        for (ip, last_date) in last_dates {
            let client = if ip == UNKNOWN {
                ClientAddress::Unknown
            } else {
                ClientAddress::known(ip.parse().map_err(|_| damaged("address"))?)
            };
            if !(admitted.admit(client) && of_tenant.admit(client)) {
                refused.push(PreviewedAddress { ip, last_date });
            }
        }
        // The sort is stable: the addresses of one day stay in their order.
        refused.sort_by_key(|address| Reverse(address.last_date));
        Ok(AllowlistPreview {
            first_day,
            last_day,
            addresses,
            refused,
            other_requests,
        })
    }
}
