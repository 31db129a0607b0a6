//! A user's own second factor: setting it up, turning it off, and new recovery codes. Each asks for the password, or for a fresh single
//! sign-on of a user who signed in that way.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    code::{Seed, TypedCode},
    table,
};
use crate::{
    Error,
    audit::AuditAction,
    session::{Authentication, SessionToken},
    store::{
        audit::Event,
        clock,
        connection::{Database, WriteTransaction},
        encryption::KeyFault,
        entity::{second_factor, session, user},
        sessions::SignedIn,
        sign_in::{
            Attempt, Judgement, SignIn, SignInOutcome,
            opening::{NewSession, open_session},
        },
        write::Write,
    },
    user_agent::Browser,
};

/// The time within which a set-up must be confirmed, and for which a single sign-on counts as fresh.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// The proof of identity that a change of the second factor needs.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// The password.
    Password {
        /// The typed password.
        password: &'a str,
        /// The device cookie's token, if the browser signed in before.
        device: Option<&'a SessionToken>,
    },
    /// A single sign-on in this session in the last ten minutes.
    FreshSingleSignOn,
}

/// Why a proof was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRefusal {
    /// The password is wrong.
    WrongPassword,
    /// Too many wrong passwords: attempts are refused unjudged for `retry_after`.
    Throttled {
        /// At least one second.
        retry_after: TimeDelta,
    },
    /// Too many concurrent sign-ins: this attempt was not judged.
    Busy,
    /// The single sign-on was too long ago.
    SignInAgain,
}

/// The result of a change that needs a proof.
pub type Proven<T> = Result<T, ProofRefusal>;

/// The state of a user's second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorStatus {
    /// The time since which it is on; `None` if it is off.
    pub enabled_at: Option<DateTime<Utc>>,
    /// The last use of a code of the app.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The number of unused recovery codes.
    pub recovery_codes_left: u64,
    /// Why it cannot be set up and codes of the app cannot be checked; `None` if they can.
    pub fault: Option<KeyFault>,
}

/// A seed to be shown once. No `Debug`: it is a secret.
#[derive(Clone)]
pub struct SetUp {
    /// The seed as text.
    pub seed: String,
    /// The `otpauth` URL, for a QR code.
    pub url: String,
}

/// The result of confirming a set-up with a code.
pub enum Confirmation {
    /// The second factor is on. Other sessions of the user ended.
    Enabled {
        /// The recovery codes, to be shown once.
        recovery_codes: Vec<String>,
        /// The token of the new session, which replaces the current one.
        session: SessionToken,
    },
    /// The code is wrong.
    WrongCode,
    /// There is no set-up to confirm, or it was begun too long ago.
    NotStarted,
}

/// The second factor of a signed-in user, for that user.
pub struct OwnSecondFactor<'a> {
    database: &'a Database,
    signed_in: &'a SignedIn,
}

impl<'a> OwnSecondFactor<'a> {
    pub(crate) const fn new(database: &'a Database, signed_in: &'a SignedIn) -> Self {
        Self {
            database,
            signed_in,
        }
    }

    fn id(&self) -> Uuid {
        self.signed_in.user.id.as_uuid()
    }

    /// Locks the user, and returns whether the user is enabled and the session open. With `changes`, the user gets a new version, so that a
    /// sign-in that was judged before the change does not open a session after it.
    async fn lock(&self, transaction: &WriteTransaction, changes: bool) -> Result<bool, Error> {
        let user = user::Entity::find_by_id(self.id())
            .lock_exclusive()
            .one(&**transaction)
            .await?;
        let session = session::Entity::find_by_id(self.signed_in.session.id.digest())
            .one(&**transaction)
            .await?;
        let is_enabled = user.is_some_and(|user| user.disabled_at.is_none());
        if !is_enabled || session.is_none() {
            return Ok(false);
        }
        if changes {
            let version = Expr::col(user::Column::Version).add(1);
            user::Entity::update_many()
                .col_expr(user::Column::Version, version)
                .filter(user::Column::Id.eq(self.id()))
                .exec(&**transaction)
                .await?;
        }
        Ok(true)
    }

    /// The state.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn status(&self) -> Result<SecondFactorStatus, Error> {
        let reader = self.database.lookups();
        let read = async {
            let row = table::find_enabled(reader, self.id()).await?;
            let left = table::codes_left(reader, self.id()).await?;
            Ok::<_, Error>((row, left))
        };
        let (row, recovery_codes_left) = self.database.with_timeout(read).await?;
        let keys = &self.database.options().second_factor.keys;
        let fault = match &row {
            // Without the right key, codes of the app cannot be checked.
            Some(row) => match table::seed_of(keys, row, &self.signed_in.user.email) {
                Err(Error::EncryptionKey(fault)) => Some(fault),
                _ => None,
            },
            None => keys.fault(),
        };
        Ok(SecondFactorStatus {
            enabled_at: row.as_ref().and_then(|row| row.enabled_at),
            last_used_at: row.and_then(|row| row.last_used_at),
            recovery_codes_left,
            fault,
        })
    }

    /// Begins a set-up with a new seed, which replaces that of an unconfirmed one.
    ///
    /// # Errors
    /// [`Error::EncryptionKey`] if the seed cannot be stored; [`Error::Stale`] if the second factor is on; [`Error::Unavailable`].
    pub async fn start(
        &self,
        proof: Proof<'_>,
        now: DateTime<Utc>,
    ) -> Result<Proven<SetUp>, Error> {
        let now = clock::stored(now);
        let keys = &self.database.options().second_factor.keys;
        // Before the password is judged, which has a cost.
        if let Some(fault) = keys.fault() {
            return Err(fault.into());
        }
        if let Err(refusal) = self.prove(proof, now).await? {
            return Ok(Err(refusal));
        }
        let seed = Seed::generate(&self.signed_in.user.email)?;
        let set_up = SetUp {
            seed: seed.text(),
            url: seed.url()?,
        };
        let row = second_factor::ActiveModel {
            user_id: Set(self.id()),
            seed: Set(keys.encrypt(table::place_of_seed(self.id()), seed.bytes())?),
            created_at: Set(now),
            session_digest: Set(Some(self.signed_in.session.id.digest())),
            enabled_at: Set(None),
            last_used_at: Set(None),
            last_step: Set(None),
        };
        let started = self.database.write(Write::Plain, async |transaction| {
            let is_open = self.lock(transaction, false).await?;
            if !is_open || table::find_enabled(transaction, self.id()).await?.is_some() {
                return Err(Error::Stale);
            }
            let conflict = OnConflict::column(second_factor::Column::UserId)
                .update_columns([
                    second_factor::Column::Seed,
                    second_factor::Column::CreatedAt,
                    second_factor::Column::SessionDigest,
                ])
                .action_and_where(
                    Expr::col((second_factor::Entity, second_factor::Column::EnabledAt)).is_null(),
                )
                .to_owned();
            let stored = second_factor::Entity::insert(row.clone())
                .on_conflict(conflict)
                .exec_without_returning(transaction)
                .await?;
            // Another request confirmed its set-up meanwhile.
            if stored == 0 {
                return Err(Error::Stale);
            }
            Ok(())
        });
        started.await?;
        Ok(Ok(set_up))
    }

    /// The set-up of this session that waits for its first code; `None` if there is none, or it was begun too long ago. Another session of
    /// the user has not proved the password.
    ///
    /// # Errors
    /// [`Error::EncryptionKey`], [`Error::Unavailable`].
    pub async fn started(&self, now: DateTime<Utc>) -> Result<Option<SetUp>, Error> {
        let Some((_, seed)) = self.find_started(now).await? else {
            return Ok(None);
        };
        Ok(Some(SetUp {
            seed: seed.text(),
            url: seed.url()?,
        }))
    }

    async fn find_started(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Option<(second_factor::Model, Seed)>, Error> {
        let found = second_factor::Entity::find_by_id(self.id())
            .filter(second_factor::Column::EnabledAt.is_null())
            .filter(second_factor::Column::SessionDigest.eq(self.signed_in.session.id.digest()))
            .filter(second_factor::Column::CreatedAt.gt(now - FRESH))
            .one(self.database.lookups());
        let Some(row) = self.database.with_timeout(found).await? else {
            return Ok(None);
        };
        let keys = &self.database.options().second_factor.keys;
        let seed = table::seed_of(keys, &row, &self.signed_in.user.email)?;
        Ok(Some((row, seed)))
    }

    /// Confirms the set-up with a code of the app, which is thereby used. Ends every other session of the user.
    ///
    /// # Errors
    /// [`Error::EncryptionKey`], [`Error::Unavailable`].
    pub async fn confirm(
        &self,
        code: &str,
        token: &SessionToken,
        browser: Browser,
        now: DateTime<Utc>,
    ) -> Result<Confirmation, Error> {
        let now = clock::stored(now);
        let Some((row, seed)) = self.find_started(now).await? else {
            return Ok(Confirmation::NotStarted);
        };
        let step = match TypedCode::parse(code) {
            TypedCode::Totp(code) => seed.step_of(&code, now),
            TypedCode::Recovery(_) | TypedCode::Neither => None,
        };
        let Some(step) = step else {
            return Ok(Confirmation::WrongCode);
        };
        let new = NewSession {
            user: self.id(),
            previous: Some(token),
            client: self.signed_in.client,
            browser,
            // A person who signed in by single sign-on may have no password, and proves themselves by a fresh sign-on also afterwards.
            authentication: match self.signed_in.session.authentication {
                Authentication::SingleSignOn => Authentication::SingleSignOn,
                _ => Authentication::SecondFactor,
            },
            authenticated_at: match self.signed_in.session.authentication {
                Authentication::SingleSignOn => self.signed_in.session.authenticated_at,
                _ => Some(now),
            },
        };
        let enabled = self.database.write(Write::Plain, async |transaction| {
            use second_factor::Column;
            if !self.lock(transaction, true).await? {
                return Ok(None);
            }
            let enabled = second_factor::Entity::update_many()
                .col_expr(Column::EnabledAt, Expr::value(now))
                .col_expr(Column::LastUsedAt, Expr::value(now))
                .col_expr(Column::LastStep, Expr::value(step))
                .col_expr(Column::SessionDigest, Expr::value(None::<Vec<u8>>))
                .filter(Column::UserId.eq(self.id()))
                .filter(Column::SessionDigest.eq(self.signed_in.session.id.digest()))
                .filter(Column::CreatedAt.eq(row.created_at))
                .filter(Column::EnabledAt.is_null())
                .exec(transaction)
                .await?;
            if enabled.rows_affected == 0 {
                return Ok(None);
            }
            let codes = table::replace_codes(transaction, self.id()).await?;
            session::Entity::delete_many()
                .filter(session::Column::UserId.eq(self.id()))
                .exec(transaction)
                .await?;
            let session = open_session(transaction, new, now).await?;
            self.append(transaction, AuditAction::SecondFactorEnabled, now)
                .await?;
            Ok(Some((codes, session)))
        });
        Ok(match enabled.await?.value {
            Some((recovery_codes, session)) => Confirmation::Enabled {
                recovery_codes,
                session,
            },
            None => Confirmation::NotStarted,
        })
    }

    /// Turns the second factor off. Sessions that were opened with it count as opened with a password from then on.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if the user needs a second factor; [`Error::Unavailable`].
    pub async fn disable(&self, proof: Proof<'_>, now: DateTime<Utc>) -> Result<Proven<()>, Error> {
        let now = clock::stored(now);
        if self.signed_in.needs_second_factor {
            return Err(Error::Forbidden);
        }
        if let Err(refusal) = self.prove(proof, now).await? {
            return Ok(Err(refusal));
        }
        let disabled = self.database.write(Write::Plain, async |transaction| {
            if !self.lock(transaction, true).await? {
                return Err(Error::Stale);
            }
            if !table::delete(transaction, self.id()).await? {
                return Ok(());
            }
            use session::Column;
            session::Entity::update_many()
                .col_expr(
                    Column::Authentication,
                    Expr::value(Authentication::Password.as_str()),
                )
                .filter(Column::UserId.eq(self.id()))
                .filter(Column::Authentication.eq(Authentication::SecondFactor.as_str()))
                .exec(transaction)
                .await?;
            self.append(transaction, AuditAction::SecondFactorDisabled, now)
                .await
        });
        disabled.await?;
        Ok(Ok(()))
    }

    /// Replaces the recovery codes, and returns the new ones, to be shown once.
    ///
    /// # Errors
    /// [`Error::Stale`] if the second factor is off; [`Error::Unavailable`].
    pub async fn new_recovery_codes(
        &self,
        proof: Proof<'_>,
        now: DateTime<Utc>,
    ) -> Result<Proven<Vec<String>>, Error> {
        let now = clock::stored(now);
        if let Err(refusal) = self.prove(proof, now).await? {
            return Ok(Err(refusal));
        }
        let replaced = self.database.write(Write::Plain, async |transaction| {
            let is_open = self.lock(transaction, false).await?;
            if !is_open || table::find_enabled(transaction, self.id()).await?.is_none() {
                return Err(Error::Stale);
            }
            let codes = table::replace_codes(transaction, self.id()).await?;
            self.append(transaction, AuditAction::RecoveryCodesReplaced, now)
                .await?;
            Ok(codes)
        });
        Ok(Ok(replaced.await?.value))
    }

    async fn append(
        &self,
        transaction: &WriteTransaction,
        action: AuditAction,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let actor = self.signed_in.actor();
        let user = &self.signed_in.user;
        let is_on = action != AuditAction::SecondFactorDisabled;
        let changes = match action {
            AuditAction::RecoveryCodesReplaced => json!({}),
            _ => json!({ "second_factor": { "before": !is_on, "after": is_on } }),
        };
        Event::by(&actor, user.tenant_id, action, user)
            .changing(changes)
            .append(transaction, now)
            .await
    }

    /// Checks the proof. A wrong password counts as a refused sign-in.
    async fn prove(&self, proof: Proof<'_>, now: DateTime<Utc>) -> Result<Proven<()>, Error> {
        let (password, device) = match proof {
            Proof::Password { password, device } => (password, device),
            Proof::FreshSingleSignOn => {
                let session = &self.signed_in.session;
                let is_recent = session.authenticated_at.is_some_and(|at| now - at <= FRESH);
                let is_fresh = session.authentication == Authentication::SingleSignOn && is_recent;
                let proven = is_fresh.then_some(()).ok_or(ProofRefusal::SignInAgain);
                return Ok(proven);
            }
        };
        let attempt = Attempt {
            email: self.signed_in.user.email.as_str(),
            password,
            client: self.signed_in.client,
            browser: Browser::default(),
            device,
            previous: None,
        };
        let sign_in = SignIn::new(self.database);
        match sign_in.judge(&attempt, now).await? {
            Judgement::Right(judged) => {
                sign_in.forgive(&judged).await?;
                Ok(Ok(()))
            }
            Judgement::Not(SignInOutcome::Throttled { retry_after }) => {
                Ok(Err(ProofRefusal::Throttled { retry_after }))
            }
            Judgement::Not(SignInOutcome::Busy) => Ok(Err(ProofRefusal::Busy)),
            Judgement::Not(_) => Ok(Err(ProofRefusal::WrongPassword)),
        }
    }
}
