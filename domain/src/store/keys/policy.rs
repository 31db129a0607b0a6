//! The keys and addresses that the tenant's security policy affects.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{
    ColumnTrait, DatabaseConnection, FromQueryResult, QueryFilter, QuerySelect, Statement,
};

use super::{
    Keys,
    counts::number,
    filter::{has_status, lives_longer},
    key_usage::first_day,
    usage::{OTHER, UNKNOWN, read},
};
use crate::{
    Error,
    client_address::ClientAddress,
    key::{
        KeyStatus,
        allowlist::{Addresses, Allowlist},
        lifetime::LifetimeRule,
        preview::{AllowlistPreview, PreviewedAddress},
        query::{KeyLifetime, KeyQuery},
        today,
        usage::ADDRESS_DAYS,
    },
    security_policy::{PolicyFindings, TenantAllowlistPreview},
    store::{entity::api_key, error::damaged},
};

/// Maximum number of addresses that a preview judges.
const MOST_ADDRESSES: usize = 10_000;

impl Keys<'_> {
    /// The active keys that never expire, and those that live longer than `rule` permits.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn policy_findings(
        &self,
        rule: LifetimeRule,
        now: DateTime<Utc>,
    ) -> Result<PolicyFindings, Error> {
        let never = KeyQuery {
            status: Some(KeyStatus::Active),
            lifetime: Some(KeyLifetime::Never),
            ..KeyQuery::default()
        };
        let never_expire = self.summary(&never, now).await?.matching;
        let Some(max) = rule.max_days else {
            return Ok(PolicyFindings {
                never_expire,
                live_longer: 0,
            });
        };
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        let longer = self
            .rows()
            .filter(has_status(KeyStatus::Active))
            .filter(lives_longer(max, self.database.backend()))
            .select_only()
            .expr(api_key::Column::Id.count())
            .into_tuple::<i64>()
            .one(reader);
        let longer = lists.with_timeout(longer).await?;
        Ok(PolicyFindings {
            never_expire,
            live_longer: number(longer.unwrap_or_default())?,
        })
    }

    /// The addresses that used active keys of the tenant in the last [`ADDRESS_DAYS`] days and that `allowlist` would refuse as the
    /// tenant-wide one. At most [`MOST_ADDRESSES`] are judged, the most recently used first.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn preview_tenant_allowlist(
        &self,
        allowlist: &Allowlist,
        now: DateTime<Utc>,
    ) -> Result<TenantAllowlistPreview, Error> {
        let last_day = today(now);
        let first_day = first_day(last_day, ADDRESS_DAYS);
        let lists = self.lists().await?;
        let reader: &DatabaseConnection = &lists;
        let statement = Statement::from_sql_and_values(
            reader.get_database_backend(),
            ADDRESSES,
            [
                self.scope.tenant_id().as_uuid().into(),
                first_day.into(),
                i64::try_from(MOST_ADDRESSES + 1).unwrap_or(i64::MAX).into(),
            ],
        );
        let rows = UsedAddress::find_by_statement(statement).all(reader);
        let mut rows = lists.with_timeout(rows).await?;
        let is_partial = rows.len() > MOST_ADDRESSES;
        rows.truncate(MOST_ADDRESSES);
        let admitted = Addresses::from(allowlist);
        let mut preview = AllowlistPreview {
            first_day,
            last_day,
            addresses: 0,
            refused: Vec::new(),
            other_requests: 0,
        };
        let mut used_by = Vec::new();
        for row in rows {
            if row.address == OTHER {
                preview.other_requests += read(row.requests)?;
                continue;
            }
            preview.addresses += 1;
            let client = if row.address == UNKNOWN {
                ClientAddress::Unknown
            } else {
                ClientAddress::known(row.address.parse().map_err(|_| damaged("address"))?)
            };
            if admitted.admit(client) {
                continue;
            }
            if used_by.len() < AllowlistPreview::MAX_LISTED {
                used_by.push((row.address.clone(), row.name));
            }
            preview.refused.push(PreviewedAddress {
                ip: row.address,
                last_date: row.day,
            });
        }
        Ok(TenantAllowlistPreview {
            preview,
            is_partial,
            used_by,
        })
    }
}

#[derive(FromQueryResult)]
struct UsedAddress {
    address: String,
    day: NaiveDate,
    name: String,
    requests: i64,
}

/// Each address with its last day and the first key by name that it used on that day.
const ADDRESSES: &str = "
    WITH uses AS (
        SELECT used.address, used.day, owner.name,
            CAST(sum(used.count) OVER (PARTITION BY used.address) AS bigint) AS requests,
            row_number() OVER (
                PARTITION BY used.address ORDER BY used.day DESC, owner.name_lower, owner.id
            ) AS place
        FROM address_uses AS used JOIN api_keys AS owner ON owner.id = used.key_id
        WHERE owner.tenant_id = $1 AND owner.revoked_at IS NULL AND used.day >= $2
    )
    SELECT address, day, name, requests FROM uses WHERE place = 1
    ORDER BY day DESC, address LIMIT $3";
