//! Sign-in with email and password, and its throttle.

pub(super) mod buckets;
mod consecutive;
pub mod opening;
pub(super) mod throttle;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::time::Duration;
use uuid::Uuid;

use self::{buckets::Buckets, opening::Client, throttle::Reservation};
use super::{
    audit::Event,
    clock,
    connection::{Database, WriteTransaction},
    entity::{tenant, user},
    password::{self, Verdict},
    second_factor::{pending, table as second_factors},
    users,
    write::Write,
};
use crate::{
    Error,
    actor::{Actor, ActorKind, ActorRef},
    audit::{AuditAction, AuditTarget},
    client_address::ClientAddress,
    session::{Authentication, SessionToken},
    text,
    user::{Email, User},
    user_agent::Browser,
};

/// Longest wait of a sign-in for a password slot; after it the sign-in is refused as busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// Number of characters of a typed account that are processed; the rest is cut off.
const LONGEST_ACCOUNT: usize = 320;

/// The input of a sign-in.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The typed email.
    pub email: &'a str,
    /// The typed password.
    pub password: &'a str,
    /// The client address.
    pub client: ClientAddress,
    /// The browser.
    pub browser: Browser,
    /// The device cookie's token, if the browser signed in before.
    pub device: Option<&'a SessionToken>,
    /// The session cookie's token; a new sign-in ends that session.
    pub previous: Option<&'a SessionToken>,
}

/// The outcome of a sign-in.
#[derive(Debug)]
pub enum SignInOutcome {
    /// The sign-in succeeded. Contains the tokens for the session cookie and the device cookie.
    SignedIn {
        /// The user.
        user: User,
        /// A new token, never one that the browser sent.
        session: SessionToken,
        /// The browser keeps it for a year.
        device: SessionToken,
    },
    /// The password is right, and the user has a second factor: a code completes the sign-in.
    SecondFactorNeeded {
        /// The token of the pending sign-in.
        pending: SessionToken,
    },
    /// The email is unknown or the password wrong; the client cannot distinguish these cases.
    Refused,
    /// The password is right, and the user is disabled.
    UserDisabled,
    /// The password is right, and the user's tenant is suspended.
    TenantSuspended {
        /// The name of the tenant.
        tenant: String,
    },
    /// The password is longer than any valid one; it was not hashed.
    TooLong,
    /// Too many wrong passwords: attempts are refused unjudged for `retry_after`.
    Throttled {
        /// At least one second.
        retry_after: TimeDelta,
    },
    /// Too many concurrent sign-ins: this one was not judged.
    Busy,
}

/// The account of an attempt, which need not exist.
pub(super) struct Account {
    /// The email in normal form; text that is not an email as typed, cut to [`LONGEST_ACCOUNT`].
    text: String,
    email: Option<Email>,
}

impl Account {
    /// The email for the database lookup; empty, which matches no user, if the text is not an email, because it could contain a NUL, which
    /// PostgreSQL rejects.
    fn stored(&self) -> &str {
        self.email.as_ref().map_or("", Email::as_str)
    }

    /// The counters of an attempt on the account.
    pub(super) fn buckets(&self, client: ClientAddress) -> Buckets {
        Buckets::of(&self.text, client)
    }

    pub(super) fn typed(typed: &str) -> Self {
        let bounded: String = typed.chars().take(LONGEST_ACCOUNT).collect();
        match bounded.parse::<Email>() {
            Ok(email) => Self {
                text: email.as_str().to_owned(),
                email: Some(email),
            },
            Err(_) => Self {
                text: text::normalise(&bounded).to_lowercase(),
                email: None,
            },
        }
    }

    /// The account for the audit log. Text that is not an email is left out, because it may be a password in the wrong field.
    fn shown(&self) -> String {
        self.email
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string)
    }
}

/// The account as read before the password is verified.
pub(super) struct Known {
    user: Option<user::Model>,
    tenant: Option<tenant::Model>,
    /// Whether the user's second factor is on.
    has_second_factor: bool,
    /// Whether this browser or address has signed in to the account before.
    is_familiar: bool,
}

impl Known {
    /// The user, unless disabled or of a suspended tenant.
    pub(super) fn active(&self) -> Option<&user::Model> {
        let is_suspended = self
            .tenant
            .as_ref()
            .is_some_and(|tenant| tenant.suspended_at.is_some());
        self.user
            .as_ref()
            .filter(|user| user.disabled_at.is_none() && !is_suspended)
    }
}

/// An attempt whose password was verified.
pub(super) struct Judged {
    account: Account,
    known: Known,
    reservation: Reservation,
    verdict: Verdict,
}

/// The judgement of an attempt's password.
pub(super) enum Judgement {
    Right(Box<Judged>),
    /// The attempt ended with another outcome.
    Not(SignInOutcome),
}

impl Judged {
    fn is_right(&self) -> bool {
        matches!(self.verdict, Verdict::Right { .. }) && self.known.active().is_some()
    }

    /// The outcome of an attempt that is not right. Only a right password reveals the state of the user and the tenant.
    fn refusal(&self) -> SignInOutcome {
        let (Verdict::Right { .. }, Some(user)) = (&self.verdict, &self.known.user) else {
            return SignInOutcome::Refused;
        };
        if user.disabled_at.is_some() {
            return SignInOutcome::UserDisabled;
        }
        match &self.known.tenant {
            Some(tenant) if tenant.suspended_at.is_some() => SignInOutcome::TenantSuspended {
                tenant: tenant.name.clone(),
            },
            _ => SignInOutcome::Refused,
        }
    }
}

/// Sign-in with email and password.
pub struct SignIn<'a> {
    database: &'a Database,
}

impl<'a> SignIn<'a> {
    pub(crate) const fn new(database: &'a Database) -> Self {
        Self { database }
    }

    pub(super) const fn database(&self) -> &'a Database {
        self.database
    }

    /// Judges an attempt.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn attempt(
        &self,
        attempt: Attempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<SignInOutcome, Error> {
        let now = clock::stored(now);
        match self.judge(&attempt, now).await? {
            Judgement::Right(judged) => {
                if judged.known.has_second_factor {
                    self.await_code(&attempt, &judged, now).await
                } else {
                    let proof = Authentication::Password;
                    self.sign_in(&attempt, &judged, proof, now).await
                }
            }
            Judgement::Not(outcome) => Ok(outcome),
        }
    }

    /// Judges the password of an attempt without opening a session.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) async fn judge(
        &self,
        attempt: &Attempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<Judgement, Error> {
        match self.judge_unless_throttled(attempt, now).await {
            Err(Error::Throttled { retry_after }) => {
                Ok(Judgement::Not(SignInOutcome::Throttled { retry_after }))
            }
            judgement => judgement,
        }
    }

    async fn judge_unless_throttled(
        &self,
        attempt: &Attempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<Judgement, Error> {
        if attempt.password.len() > password::MAX_BYTES {
            return Ok(Judgement::Not(SignInOutcome::TooLong));
        }
        let account = Account::typed(attempt.email);
        let buckets = account.buckets(attempt.client);
        // Only reads, so that refusing a flood occupies neither a password slot nor the writer.
        let known = self.look(&account, &buckets, attempt, now).await?;
        // Acquires the slot before the attempt is counted, so that a busy server uses up no attempts.
        let Some(slot) = self.database.password_slots().acquire(PATIENCE).await else {
            return Ok(Judgement::Not(SignInOutcome::Busy));
        };
        let reservation = self.reserve(&buckets, &known, now).await?;
        // A user without a password is like an unknown one.
        let stored = known
            .user
            .as_ref()
            .map(|user| user.password_hash.clone())
            .filter(|hash| !hash.is_empty());
        let verdict = password::verify(slot, attempt.password, stored).await?;
        let judged = Judged {
            account,
            known,
            reservation,
            verdict,
        };
        if judged.is_right() {
            return Ok(Judgement::Right(Box::new(judged)));
        }
        self.refuse(attempt, &judged, now).await?;
        Ok(Judgement::Not(judged.refusal()))
    }

    /// Opens a session after a right password. Refuses if the user was changed since the password was judged.
    pub(super) async fn sign_in(
        &self,
        attempt: &Attempt<'_>,
        judged: &Judged,
        authentication: Authentication,
        now: DateTime<Utc>,
    ) -> Result<SignInOutcome, Error> {
        if let (Verdict::Right { rehashed }, Some(user)) = (&judged.verdict, judged.known.active())
        {
            let rehashed = rehashed.clone();
            match self
                .open(
                    attempt,
                    user,
                    rehashed,
                    &judged.reservation,
                    authentication,
                    now,
                )
                .await
            {
                Err(Error::Stale) => {}
                opened => return opened,
            }
        }
        self.refuse(attempt, judged, now).await?;
        Ok(SignInOutcome::Refused)
    }

    /// Begins a pending sign-in after a right password. The attempt is uncounted, but the failures before it stay counted: the code is still
    /// to be guessed.
    async fn await_code(
        &self,
        attempt: &Attempt<'_>,
        judged: &Judged,
        now: DateTime<Utc>,
    ) -> Result<SignInOutcome, Error> {
        let (Verdict::Right { rehashed }, Some(row)) = (&judged.verdict, judged.known.active())
        else {
            return Ok(SignInOutcome::Refused);
        };
        let begun = self.database.write(Write::Plain, async |transaction| {
            throttle::take_back(transaction, &judged.reservation).await?;
            if !opening::confirm_user(transaction, row, rehashed.clone()).await? {
                return Err(Error::Stale);
            }
            pending::begin(transaction, row, now).await
        });
        match begun.await {
            Ok(begun) => Ok(SignInOutcome::SecondFactorNeeded {
                pending: begun.value,
            }),
            Err(Error::Stale) => {
                self.refuse(attempt, judged, now).await?;
                Ok(SignInOutcome::Refused)
            }
            Err(error) => Err(error),
        }
    }

    /// Uncounts an attempt with a right code.
    pub(super) async fn succeed(
        &self,
        transaction: &WriteTransaction,
        reservation: &Reservation,
    ) -> Result<(), Error> {
        throttle::succeed(transaction, reservation).await
    }

    /// Uncounts an attempt with a right password.
    ///
    /// # Errors
    /// [`Error::Stale`] if the password was changed since it was judged; [`Error::Unavailable`].
    pub(super) async fn forgive(&self, judged: &Judged) -> Result<(), Error> {
        let Some(user) = judged.known.active() else {
            return Ok(());
        };
        let forgiven = self.database.write(Write::Plain, async |transaction| {
            throttle::succeed(transaction, &judged.reservation).await?;
            match opening::confirm_user(transaction, user, None).await? {
                true => Ok(()),
                false => Err(Error::Stale),
            }
        });
        forgiven.await.map(drop)
    }

    /// Whether there are no users yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn has_no_users(&self) -> Result<bool, Error> {
        let any = self
            .database
            .with_timeout(
                user::Entity::find()
                    .select_only()
                    .column(user::Column::Id)
                    .limit(1)
                    .into_tuple::<Uuid>()
                    .one(self.database.lookups()),
            )
            .await?;
        Ok(any.is_none())
    }

    /// Reads the account and the counters.
    ///
    /// # Errors
    /// [`Error::Throttled`] if the account may not be tried now.
    pub(super) async fn look(
        &self,
        account: &Account,
        buckets: &Buckets,
        attempt: &Attempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<Known, Error> {
        let reader = self.database.lookups();
        self.database
            .with_timeout(async {
                let row = user::Entity::find()
                    .find_also_related(tenant::Entity)
                    .filter(user::Column::Email.eq(account.stored()))
                    .one(reader)
                    .await?;
                let (user, tenant) =
                    row.map_or((None, None), |(user, tenant)| (Some(user), tenant));
                // Also read for an unknown user, so that both cases take the same time.
                let id = user.as_ref().map_or(Uuid::nil(), |user| user.id);
                let is_familiar = opening::is_familiar(reader, id, attempt, now).await?;
                let has_second_factor = second_factors::find_enabled(reader, id).await?.is_some();
                let mut retry_after = throttle::refusal(reader, buckets, now).await?;
                if !is_familiar {
                    // The longer of the two waits: after the shorter one the client would be refused again.
                    retry_after =
                        retry_after.max(consecutive::refusal(reader, buckets, now).await?);
                }
                match retry_after {
                    Some(retry_after) => Err(Error::Throttled { retry_after }),
                    None => Ok(Known {
                        user,
                        tenant,
                        has_second_factor,
                        is_familiar,
                    }),
                }
            })
            .await
    }

    /// Counts the attempt as failed, until [`throttle::succeed`] uncounts it.
    ///
    /// # Errors
    /// [`Error::Throttled`] if concurrent attempts reached the limit first; this attempt is then not counted.
    pub(super) async fn reserve(
        &self,
        buckets: &Buckets,
        known: &Known,
        now: DateTime<Utc>,
    ) -> Result<Reservation, Error> {
        let reserved = self.database.write(Write::Plain, async |transaction| {
            let reservation = throttle::reserve(transaction, buckets, now).await?;
            consecutive::reserve(transaction, buckets, known.is_familiar, now).await?;
            Ok(reservation)
        });
        Ok(reserved.await?.value)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`Error::Stale`] if the user was changed since the password was judged; [`Error::Unavailable`].
    async fn open(
        &self,
        attempt: &Attempt<'_>,
        row: &user::Model,
        rehashed: Option<String>,
        reservation: &Reservation,
        authentication: Authentication,
        now: DateTime<Utc>,
    ) -> Result<SignInOutcome, Error> {
        let user = users::from_row(row.clone())?;
        let opened = self.database.write(Write::Plain, async |transaction| {
            throttle::succeed(transaction, reservation).await?;
            if !opening::confirm_user(transaction, row, rehashed).await? {
                return Err(Error::Stale);
            }
            let client = Client {
                address: attempt.client,
                browser: attempt.browser,
                device: attempt.device,
                previous: attempt.previous,
            };
            opening::open(transaction, &user, client, authentication, now).await
        });
        let (session, device) = opened.await?.value;
        Ok(SignInOutcome::SignedIn {
            user,
            session,
            device,
        })
    }

    async fn refuse(
        &self,
        attempt: &Attempt<'_>,
        judged: &Judged,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let Judged {
            account,
            known,
            reservation,
            ..
        } = judged;
        self.refuse_account(attempt.client, account, known, reservation, now)
            .await
    }

    /// Writes the audit event of a refused sign-in, once per account, address and window.
    pub(super) async fn refuse_account(
        &self,
        client: ClientAddress,
        account: &Account,
        known: &Known,
        reservation: &Reservation,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if reservation.refusal_audited {
            return Ok(());
        }
        let id = known.user.as_ref().map(|user| user.id);
        let actor = Actor {
            who: ActorRef {
                kind: ActorKind::User,
                id,
                name: account.shown(),
            },
            client: Some(client),
        };
        let tenant_id = known.user.as_ref().and_then(|user| user.tenant_id);
        let refused = self.database.write(Write::Plain, async |transaction| {
            if throttle::note_refusal(transaction, reservation).await? {
                let target = AuditTarget::account(id, account.shown());
                let action = AuditAction::SignInRefused;
                Event::by(&actor, tenant_id.map(Into::into), action, target)
                    .append(transaction, now)
                    .await?;
            }
            Ok(())
        });
        refused.await.map(drop)
    }
}
