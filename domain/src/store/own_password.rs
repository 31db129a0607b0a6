//! Changing one's own password. The current password is judged like a sign-in, with the same throttle, so that an abandoned session cannot
//! be used to guess it.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
};

use super::{
    audit::Event,
    clock,
    entity::{session, user},
    one_time_links::{self, LinkEnd},
    password, random,
    sign_in::{Attempt, Judgement, SignIn, SignInOutcome},
    users,
    write::Write,
};
use crate::{
    Error,
    actor::Actor,
    audit::AuditAction,
    client_address::ClientAddress,
    session::{Authentication, SessionToken},
    user::User,
    user_agent::Browser,
};

/// The input for changing one's own password.
#[derive(Clone, Copy)]
pub struct PasswordChange<'a> {
    /// The user.
    pub user: &'a User,
    /// The typed current password.
    pub current: &'a str,
    /// The typed new password.
    pub new: &'a str,
    /// The client address.
    pub client: ClientAddress,
    /// The device cookie's token, if the browser signed in before.
    pub device: Option<&'a SessionToken>,
    /// The browser.
    pub browser: Browser,
    /// The token of the current session.
    pub session: Option<&'a SessionToken>,
    /// The proof of identity of the current session, which the new one keeps.
    pub authentication: Authentication,
}

/// The outcome of a password change.
#[derive(Debug)]
pub enum PasswordChangeOutcome {
    /// The password is changed. All sessions of the user ended except the new one.
    Changed {
        /// The token of the new session, which replaces the current one.
        session: SessionToken,
        /// The browser keeps it for a year.
        device: SessionToken,
    },
    /// The current password is wrong.
    WrongPassword,
    /// Too many wrong passwords: attempts are refused unjudged for `retry_after`.
    Throttled {
        /// At least one second.
        retry_after: TimeDelta,
    },
    /// Too many concurrent sign-ins: this attempt was not judged.
    Busy,
}

/// Maps a refused sign-in to the outcome of a password change.
const fn refused(outcome: &SignInOutcome) -> PasswordChangeOutcome {
    match outcome {
        SignInOutcome::Throttled { retry_after } => PasswordChangeOutcome::Throttled {
            retry_after: *retry_after,
        },
        SignInOutcome::Busy => PasswordChangeOutcome::Busy,
        SignInOutcome::SignedIn { .. }
        | SignInOutcome::SecondFactorNeeded { .. }
        | SignInOutcome::Refused
        | SignInOutcome::UserDisabled
        | SignInOutcome::TenantSuspended { .. }
        | SignInOutcome::TooLong => PasswordChangeOutcome::WrongPassword,
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
            browser: change.browser,
            device: change.device,
            previous: change.session,
        };
        let at = clock::stored(now);
        // Judges the current password first, so that only a person with that password can use the rules for new ones.
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
        let (session, device) = match self
            .sign_in(&attempt, &judged, change.authentication, at)
            .await?
        {
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

    /// Writes the new hash and ends all sessions except `session`. Returns false if that one has ended: an operator set another password or
    /// disabled the user meanwhile, which takes precedence.
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
            let links = one_time_links::for_user(user.id);
            one_time_links::end(transaction, links, LinkEnd::Replaced, now).await?;
            // The event records neither password nor hash.
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
