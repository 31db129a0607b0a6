//! Somebody changes their own password. The current one goes through the same gate as a sign-in does, so that a session which was left
//! open is no place to guess at it.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
};

use super::{
    audit::Event,
    clock,
    entity::{session, user},
    password, random,
    sign_in::{Attempt, Judgement, SignIn, SignInOutcome},
    users,
    write::Write,
};
use crate::{
    Error, actor::Actor, audit::AuditAction, client_address::ClientAddress, session::SessionToken,
    user::User,
};

/// What somebody who is signed in asks for.
#[derive(Clone, Copy)]
pub struct PasswordChange<'a> {
    /// Who.
    pub user: &'a User,
    /// As it was typed.
    pub current: &'a str,
    /// As it was typed.
    pub new: &'a str,
    /// From where.
    pub client: ClientAddress,
    /// The device cookie's token, of a browser that signed in before.
    pub device: Option<&'a SessionToken>,
    /// The session that asks.
    pub session: Option<&'a SessionToken>,
}

/// What came of it.
#[derive(Debug)]
pub enum PasswordChangeOutcome {
    /// Changed. Every session of the user is over but the one that this token begins.
    Changed {
        /// A new token, in the place of the session that asked.
        session: SessionToken,
        /// Kept by the browser for a year.
        device: SessionToken,
    },
    /// The current password is another one.
    WrongPassword,
    /// Too many wrong passwords: no try before so long.
    Throttled {
        /// How long.
        retry_after: TimeDelta,
    },
    /// Too many passwords are being judged at once; nothing was.
    Busy,
}

/// What a sign-in that was not let through means for who changes a password.
const fn refused(outcome: &SignInOutcome) -> PasswordChangeOutcome {
    match outcome {
        SignInOutcome::Throttled { retry_after } => PasswordChangeOutcome::Throttled {
            retry_after: *retry_after,
        },
        SignInOutcome::Busy => PasswordChangeOutcome::Busy,
        SignInOutcome::SignedIn { .. } | SignInOutcome::Refused | SignInOutcome::TooLong => {
            PasswordChangeOutcome::WrongPassword
        }
    }
}

impl SignIn<'_> {
    /// Changes a user's own password.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `new_password`; [`Error::Unavailable`].
    pub async fn change_password(
        &self,
        change: PasswordChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<PasswordChangeOutcome, Error> {
        let user = change.user;
        let attempt = Attempt {
            email: user.email.as_str(),
            password: change.current,
            client: change.client,
            device: change.device,
            previous: change.session,
        };
        let at = clock::stored(now);
        // First, so that nobody has the rules of new passwords work who does not know the current one.
        let judged = match self.judge(&attempt, at).await? {
            Judgement::Right(judged) => judged,
            Judgement::Not(outcome) => return Ok(refused(&outcome)),
        };
        let slots = self.database().password_slots();
        let fault = password::find_fault(slots, change.new, &user.email, &user.name).await?;
        if let Some(fault) = fault {
            self.forgive(&judged).await?;
            return Err(Error::invalid("new_password", fault.message));
        }
        let (session, device) = match self.sign_in(&attempt, &judged, at).await? {
            SignInOutcome::SignedIn {
                session, device, ..
            } => (session, device),
            outcome => return Ok(refused(&outcome)),
        };
        let password_hash = password::hash(slots, change.new).await?;
        let is_changed = self
            .replace_password(&change, password_hash, &session, clock::stored(now))
            .await?;
        Ok(if is_changed {
            PasswordChangeOutcome::Changed { session, device }
        } else {
            PasswordChangeOutcome::WrongPassword
        })
    }

    /// Writes the new hash and ends all sessions but `session`. False where that one is over already: an operator set another
    /// password, or disabled the user, in between, and that holds.
    async fn replace_password(
        &self,
        change: &PasswordChange<'_>,
        password_hash: String,
        session: &SessionToken,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let digest = random::digest(session.expose());
        let changed = self.database().write(Write::Plain, async |transaction| {
            let row = user::Entity::find_by_id(change.user.id.as_uuid())
                .lock_exclusive()
                .one(transaction)
                .await?;
            let open = session::Entity::find_by_id(digest.clone())
                .one(transaction)
                .await?;
            let (Some(row), Some(_)) = (row, open) else {
                return Ok(false);
            };
            let version = row.version + 1;
            let row = user::ActiveModel {
                password_hash: Set(password_hash),
                updated_at: Set(now),
                version: Set(version),
                ..row.into()
            };
            let user = users::from_row(row.update(transaction).await?)?;
            session::Entity::delete_many()
                .filter(session::Column::UserId.eq(user.id.as_uuid()))
                .filter(session::Column::TokenDigest.ne(digest))
                .exec(transaction)
                .await?;
            // The event shows neither password nor hash.
            let actor = Actor::user(user.id, user.name.as_str(), change.client);
            let action = AuditAction::UserPasswordChanged;
            Event::by(&actor, user.tenant_id, action, &user)
                .append(transaction, now)
                .await?;
            Ok(true)
        });
        Ok(changed.await?.value)
    }
}
