//! The second step of a sign-in: a right password opens no session if the user has a second factor, but a pending sign-in, which a code
//! completes. It is bound to the browser by a cookie. Guesses fall under the throttle of sign-ins.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use super::{
    code::{RecoveryCode, TypedCode},
    table,
};
use crate::{
    Error,
    actor::Actor,
    audit::AuditAction,
    session::{Authentication, SessionToken},
    store::{
        audit::Event,
        clock,
        connection::Database,
        encryption::KeyFault,
        entity::{pending_sign_in, second_factor, user},
        random,
        sign_in::{
            Account, SignIn,
            opening::{self, Client},
            throttle::Reservation,
        },
        users,
        write::Write,
    },
    user::User,
};

/// The input of the second step.
#[derive(Clone, Copy)]
pub struct SecondStep<'a> {
    /// The token of the pending sign-in.
    pub pending: &'a SessionToken,
    /// The typed code: of the app, or a recovery code.
    pub code: &'a str,
    /// The client.
    pub client: Client<'a>,
}

/// The outcome of the second step.
#[derive(Debug)]
pub enum SecondStepOutcome {
    /// The sign-in succeeded.
    SignedIn {
        /// The user.
        user: User,
        /// The token of the session cookie.
        session: SessionToken,
        /// The token of the device cookie.
        device: SessionToken,
    },
    /// There is no such pending sign-in, it ended, or the user was changed since the password was judged.
    Expired,
    /// The code is wrong, or was used before.
    WrongCode,
    /// Too many wrong codes and passwords: attempts are refused unjudged for `retry_after`.
    Throttled {
        /// At least one second.
        retry_after: TimeDelta,
    },
    /// Codes of the app cannot be checked. Recovery codes can.
    KeyUnusable(KeyFault),
}

/// A code that was typed, with what its use needs.
enum Candidate {
    Step(second_factor::Model, i64),
    Recovery(RecoveryCode),
    Wrong,
}

impl SignIn<'_> {
    async fn find_pending(
        &self,
        token: &SessionToken,
        now: DateTime<Utc>,
    ) -> Result<Option<pending_sign_in::Model>, Error> {
        let found = pending_sign_in::Entity::find_by_id(random::digest(token.expose()))
            .filter(pending_sign_in::Column::ExpiresAt.gt(now))
            .one(self.database().lookups());
        self.database().with_timeout(found).await
    }

    /// Judges the code of a pending sign-in, and opens the session.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn complete(
        &self,
        step: SecondStep<'_>,
        now: DateTime<Utc>,
    ) -> Result<SecondStepOutcome, Error> {
        let now = clock::stored(now);
        match self.complete_unless_throttled(step, now).await {
            Err(Error::Throttled { retry_after }) => {
                Ok(SecondStepOutcome::Throttled { retry_after })
            }
            Err(Error::EncryptionKey(fault)) => Ok(SecondStepOutcome::KeyUnusable(fault)),
            outcome => outcome,
        }
    }

    async fn complete_unless_throttled(
        &self,
        step: SecondStep<'_>,
        now: DateTime<Utc>,
    ) -> Result<SecondStepOutcome, Error> {
        let Some(pending) = self.find_pending(step.pending, now).await? else {
            return Ok(SecondStepOutcome::Expired);
        };
        let database = self.database();
        let email = user::Entity::find_by_id(pending.user_id).one(database.lookups());
        let Some(email) = database.with_timeout(email).await?.map(|row| row.email) else {
            return Ok(SecondStepOutcome::Expired);
        };
        let attempt = step.client.attempt(&email);
        let account = Account::typed(&email);
        let buckets = account.buckets(attempt.client);
        let known = self.look(&account, &buckets, &attempt, now).await?;
        let Some(row) = known
            .active()
            .filter(|row| row.id == pending.user_id && row.version == pending.user_version)
            .cloned()
        else {
            return Ok(SecondStepOutcome::Expired);
        };
        // Before the attempt is counted: an unusable key uses up no attempts.
        let candidate = self.candidate(database, &row, step.code, now).await?;
        let reservation = self.reserve(&buckets, &known, now).await?;
        let opened = match candidate {
            Candidate::Wrong => Err(Error::Stale),
            candidate => {
                self.open_with_code(&step, &row, &candidate, &reservation, now)
                    .await
            }
        };
        match opened {
            Err(Error::Stale) => {
                self.refuse_account(attempt.client, &account, &known, &reservation, now)
                    .await?;
                Ok(SecondStepOutcome::WrongCode)
            }
            opened => opened,
        }
    }

    async fn candidate(
        &self,
        database: &Database,
        row: &user::Model,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Candidate, Error> {
        let code = match TypedCode::parse(code) {
            TypedCode::Recovery(code) => return Ok(Candidate::Recovery(code)),
            TypedCode::Neither => return Ok(Candidate::Wrong),
            TypedCode::Totp(code) => code,
        };
        let found = table::find_enabled(database.lookups(), row.id);
        let Some(factor) = database.with_timeout(found).await? else {
            return Ok(Candidate::Wrong);
        };
        let user = users::from_row(row.clone())?;
        let keys = &database.options().second_factor.keys;
        let seed = table::seed_of(keys, &factor, &user.email)?;
        Ok(match seed.step_of(&code, now) {
            Some(step) => Candidate::Step(factor, step),
            None => Candidate::Wrong,
        })
    }

    /// Uses the code and opens the session, in one transaction.
    ///
    /// # Errors
    /// [`Error::Stale`] if the code is wrong or used, or the user was changed; [`Error::Unavailable`].
    async fn open_with_code(
        &self,
        step: &SecondStep<'_>,
        row: &user::Model,
        candidate: &Candidate,
        reservation: &Reservation,
        now: DateTime<Utc>,
    ) -> Result<SecondStepOutcome, Error> {
        let user = users::from_row(row.clone())?;
        let digest = random::digest(step.pending.expose());
        let opened = self.database().write(Write::Plain, async |transaction| {
            self.succeed(transaction, reservation).await?;
            if !opening::confirm_user(transaction, row, None).await? {
                return Err(Error::Stale);
            }
            let is_used = match candidate {
                Candidate::Step(factor, step) => {
                    table::use_step(transaction, factor, *step, now).await?
                }
                Candidate::Recovery(code) => {
                    table::use_recovery_code(transaction, row.id, code, now).await?
                }
                Candidate::Wrong => false,
            };
            // A pending sign-in opens one session.
            let ended = pending_sign_in::Entity::delete_by_id(digest.clone())
                .exec(transaction)
                .await?;
            if !is_used || ended.rows_affected == 0 {
                return Err(Error::Stale);
            }
            if let Candidate::Recovery(_) = candidate {
                let left = table::codes_left(transaction, row.id).await?;
                let actor = Actor::user(user.id, user.name.as_str(), step.client.address);
                let changes = json!({ "recovery_codes": { "before": left + 1, "after": left } });
                Event::by(&actor, user.tenant_id, AuditAction::RecoveryCodeUsed, &user)
                    .changing(changes)
                    .append(transaction, now)
                    .await?;
            }
            let proof = Authentication::SecondFactor;
            opening::open(transaction, &user, step.client, proof, now).await
        });
        let (session, device) = opened.await?.value;
        Ok(SecondStepOutcome::SignedIn {
            user,
            session,
            device,
        })
    }
}
