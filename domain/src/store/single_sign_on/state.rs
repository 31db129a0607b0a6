//! The states of sign-ins that began at the provider: bound to one browser, usable once, for ten minutes.
//!
//! The database contains digests alone. The nonce and the PKCE verifier are derived from the state and the browser's cookie, so that a copy
//! of the database is of no use to end a sign-in.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, LockBehavior, LockType},
};

use super::{SingleSignOn, StateFault};
use crate::{
    Error,
    client_address::ClientAddress,
    session::SessionToken,
    store::{
        clock,
        entity::{sign_in_bucket, sso_state},
        random,
        sign_in::{buckets, throttle},
        write::Write,
    },
};

/// The longest time between the begin of a sign-in and its callback.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// The time for which a state is stored, so that a second use is told from an unknown state.
const KEPT: TimeDelta = TimeDelta::hours(1);
/// Maximum number of rows that one sign-in deletes. It adds one, so the table shrinks.
const CLEARED_AT_ONCE: u64 = 100;
/// Sign-ins that one address may begin in a window of the throttle. Each one writes a row.
const BEGINS: i64 = 300;

/// The input of a sign-in that begins.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The path of this site to which the sign-in leads, already checked.
    pub return_to: Option<&'a str>,
    /// Whether the provider has to authenticate the person anew.
    pub is_fresh: bool,
    /// The address of the client.
    pub client: ClientAddress,
}

/// A sign-in that began. No `Debug` of the tokens.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The value of the parameter `state`.
    pub state: SessionToken,
    /// The token for the browser's cookie.
    pub browser: SessionToken,
}

impl Begun {
    /// The nonce, which the provider repeats in the ID token.
    #[must_use]
    pub fn nonce(&self) -> SessionToken {
        self.derive("nonce")
    }

    /// The PKCE verifier (RFC 7636), 64 characters.
    #[must_use]
    pub fn pkce_verifier(&self) -> SessionToken {
        self.derive("pkce verifier")
    }

    fn derive(&self, purpose: &str) -> SessionToken {
        let (state, browser) = (self.state.expose(), self.browser.expose());
        SessionToken::from_bytes(random::sha256(&format!("{purpose}:{browser}:{state}")))
    }
}

/// A state that was used now.
#[derive(Clone, Debug)]
pub struct Redeemed {
    /// The sign-in that it began.
    pub begun: Begun,
    /// The path of this site to which the sign-in leads.
    pub return_to: Option<String>,
    /// The time of the begin, if the provider had to authenticate the person anew.
    pub fresh_since: Option<DateTime<Utc>>,
}

impl SingleSignOn<'_> {
    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`Error::Throttled`] if the address has begun too many; [`Error::Unavailable`].
    pub async fn begin(&self, begin: Begin<'_>, now: DateTime<Utc>) -> Result<Begun, Error> {
        let now = clock::stored(now);
        let bucket = buckets::of_single_sign_on("begun", begin.client);
        let counted = self
            .database
            .with_timeout(
                sign_in_bucket::Entity::find_by_id(bucket.as_str()).one(self.database.lookups()),
            )
            .await?;
        refuse_above_limit(counted.as_ref(), BEGINS - 1, now)?;
        let begun = Begun {
            state: new_token()?,
            browser: new_token()?,
        };
        let row = sso_state::ActiveModel {
            state_digest: Set(random::digest(begun.state.expose())),
            browser_digest: Set(random::digest(begun.browser.expose())),
            return_to: Set(begin.return_to.unwrap_or_default().to_owned()),
            is_fresh: Set(begin.is_fresh),
            created_at: Set(now),
            used_at: Set(None),
        };
        let written = self.database.write(Write::Plain, async |transaction| {
            let counted = throttle::count(transaction, &bucket, now).await?;
            refuse_above_limit(Some(&counted), BEGINS, now)?;
            if counted.failures == 1 {
                throttle::forget_old_windows(transaction, now).await?;
            }
            sso_state::Entity::insert(row)
                .exec_without_returning(transaction)
                .await?;
            forget_old_states(transaction, now).await
        });
        written.await?;
        Ok(begun)
    }

    /// Uses the state of a callback. A second call with the same state is refused, also on another replica.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn redeem(
        &self,
        state: &str,
        browser: Option<&SessionToken>,
        now: DateTime<Utc>,
    ) -> Result<Result<Redeemed, StateFault>, Error> {
        let now = clock::stored(now);
        let Some(state) = SessionToken::parse(state) else {
            return Ok(Err(StateFault::Unknown));
        };
        let digest = random::digest(state.expose());
        let found = self
            .database
            .with_timeout(
                sso_state::Entity::find_by_id(digest.clone()).one(self.database.lookups()),
            )
            .await?;
        let row = match found {
            None => return Ok(Err(StateFault::Unknown)),
            Some(row) if row.used_at.is_some() => return Ok(Err(StateFault::Used)),
            Some(row) => row,
        };
        let Some(browser) =
            browser.filter(|browser| random::digest(browser.expose()) == row.browser_digest)
        else {
            return Ok(Err(StateFault::OtherBrowser));
        };
        if now - row.created_at >= LIFETIME {
            return Ok(Err(StateFault::Expired));
        }
        let used = self.database.write(Write::Plain, async |transaction| {
            let used = sso_state::Entity::update_many()
                .col_expr(sso_state::Column::UsedAt, Expr::value(now))
                .filter(sso_state::Column::StateDigest.eq(digest))
                .filter(sso_state::Column::UsedAt.is_null())
                .exec(transaction)
                .await?;
            Ok(used.rows_affected > 0)
        });
        if !used.await?.value {
            return Ok(Err(StateFault::Used));
        }
        Ok(Ok(Redeemed {
            begun: Begun {
                state,
                browser: browser.clone(),
            },
            return_to: Some(row.return_to).filter(|path| !path.is_empty()),
            fresh_since: row.is_fresh.then_some(row.created_at),
        }))
    }
}

/// Refuses if `counted` has more than `limit` in its window.
fn refuse_above_limit(
    counted: Option<&sign_in_bucket::Model>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match counted {
        Some(row) if row.failures > limit && throttle::is_current(row, now) => {
            Err(Error::Throttled {
                retry_after: throttle::rest_of_window(row, now),
            })
        }
        _ => Ok(()),
    }
}

/// Deletes a few states that are long over. It never waits, because it skips locked rows and runs last.
async fn forget_old_states(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let over = sso_state::Entity::find()
        .select_only()
        .column(sso_state::Column::StateDigest)
        .filter(sso_state::Column::CreatedAt.lte(now - KEPT))
        .limit(CLEARED_AT_ONCE)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    sso_state::Entity::delete_many()
        .filter(sso_state::Column::StateDigest.in_subquery(over))
        .exec(transaction)
        .await?;
    Ok(())
}

fn new_token() -> Result<SessionToken, Error> {
    let mut bytes = [0; 32];
    random::fill(&mut bytes)?;
    Ok(SessionToken::from_bytes(bytes))
}
