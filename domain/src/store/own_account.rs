//! The account of a signed-in user: name and sessions. `own_password` changes the password.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::json;

use super::{
    audit::Event,
    clock,
    connection::Database,
    entity::{session, user},
    sessions::{SignedIn, is_over},
    users,
    write::Write,
};
use crate::{Error, audit::AuditAction, session::SessionId, text, user::User, user_agent};

/// The maximum number of sessions that [`OwnAccount::sessions`] returns.
pub const LISTED_SESSIONS: usize = 50;

/// A session of the signed-in user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSession {
    /// Its identifier.
    pub id: SessionId,
    /// The browser at the sign-in, if it is known.
    pub browser: Option<String>,
    /// The operating system at the sign-in, if it is known.
    pub system: Option<String>,
    /// The client address of the last use; `None` if it is unknown.
    pub address: Option<String>,
    /// The time of the sign-in.
    pub created_at: DateTime<Utc>,
    /// The last use; up to a minute late.
    pub last_seen_at: DateTime<Utc>,
    /// Whether it is the session of this request.
    pub is_current: bool,
}

/// The sessions of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSessions {
    /// The current session, then the others by their last use, the latest first. At most [`LISTED_SESSIONS`].
    pub listed: Vec<OwnSession>,
    /// Whether there are more.
    pub has_more: bool,
}

/// The account of a signed-in user, for that user.
pub struct OwnAccount<'a> {
    database: &'a Database,
    signed_in: &'a SignedIn,
}

impl<'a> OwnAccount<'a> {
    pub(crate) const fn new(database: &'a Database, signed_in: &'a SignedIn) -> Self {
        Self {
            database,
            signed_in,
        }
    }

    const fn user(&self) -> &User {
        &self.signed_in.user
    }

    /// Changes the name. Writes nothing if it stays the same.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `name`; [`Error::NotFound`] if the user is gone; [`Error::Unavailable`].
    pub async fn rename(&self, name: &str, now: DateTime<Utc>) -> Result<(), Error> {
        let name = text::display_name(name).map_err(|message| Error::invalid("name", message))?;
        let now = clock::stored(now);
        let renamed = self.database.write(Write::Plain, async |transaction| {
            let before = user::Entity::find_by_id(self.user().id.as_uuid())
                .lock_exclusive()
                .one(transaction)
                .await?
                .ok_or(Error::NotFound("user"))?;
            if before.name == name {
                return Ok(());
            }
            let changes = json!({ "name": { "before": before.name, "after": name } });
            let version = before.version + 1;
            let row = user::ActiveModel {
                name: Set(name.clone()),
                updated_at: Set(now),
                version: Set(version),
                ..before.into()
            };
            let user = users::from_row(row.update(transaction).await?)?;
            let actor = self.signed_in.actor();
            Event::by(&actor, user.tenant_id, AuditAction::UserRenamed, &user)
                .changing(changes)
                .append(transaction, now)
                .await
        });
        renamed.await.map(drop)
    }

    /// The user's sessions that have not ended.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn sessions(&self, now: DateTime<Utc>) -> Result<OwnSessions, Error> {
        let lists = self.database.lists(self.user().tenant_id).await?;
        // One more than is listed, to detect further ones; the current session is among the latest, because this request used it.
        let select = session::Entity::find()
            .filter(session::Column::UserId.eq(self.user().id.as_uuid()))
            .filter(session::Column::ExpiresAt.gt(now))
            .order_by_desc(session::Column::LastSeenAt)
            .limit(LISTED_SESSIONS as u64 + 1);
        let rows = lists.with_timeout(select.all(&*lists)).await?;
        let mut listed: Vec<_> = rows
            .into_iter()
            .filter(|row| !is_over(row, now))
            .map(|row| self.session(row))
            .collect();
        let has_more = listed.len() > LISTED_SESSIONS;
        listed.truncate(LISTED_SESSIONS);
        // The sort is stable: the others stay in their order.
        listed.sort_by_key(|session| !session.is_current);
        Ok(OwnSessions { listed, has_more })
    }

    fn session(&self, row: session::Model) -> OwnSession {
        let id = SessionId::of_digest(&row.token_digest);
        OwnSession {
            is_current: id == self.signed_in.session.id,
            id,
            browser: row.browser,
            system: row.system,
            address: row.client_address,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        }
    }

    /// Ends one session of the user. Returns its browser and system; `None` if there is no such session any more.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn end_session(
        &self,
        id: &SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Error> {
        let now = clock::stored(now);
        let ended = self.database.write(Write::Plain, async |transaction| {
            let found = session::Entity::find_by_id(id.digest())
                .filter(session::Column::UserId.eq(self.user().id.as_uuid()))
                .lock_exclusive()
                .one(transaction)
                .await?;
            let Some(found) = found else {
                return Ok(None);
            };
            session::Entity::delete_by_id(id.digest())
                .exec(transaction)
                .await?;
            let label = user_agent::label(found.browser.as_deref(), found.system.as_deref());
            let changes = json!({ "session": { "before": label, "after": null } });
            let actor = self.signed_in.actor();
            let user = self.user();
            Event::by(&actor, user.tenant_id, AuditAction::SignedOut, user)
                .changing(changes)
                .append(transaction, now)
                .await?;
            Ok(Some(label))
        });
        Ok(ended.await?.value)
    }

    /// Ends every session of the user except the current one, and returns their number.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn end_other_sessions(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        let now = clock::stored(now);
        let ended = self.database.write(Write::Plain, async |transaction| {
            let deleted = session::Entity::delete_many()
                .filter(session::Column::UserId.eq(self.user().id.as_uuid()))
                .filter(session::Column::TokenDigest.ne(self.signed_in.session.id.digest()))
                .exec(transaction)
                .await?
                .rows_affected;
            if deleted > 0 {
                let changes = json!({ "sessions": { "before": deleted + 1, "after": 1 } });
                let actor = self.signed_in.actor();
                let user = self.user();
                Event::by(&actor, user.tenant_id, AuditAction::UserSessionsEnded, user)
                    .changing(changes)
                    .append(transaction, now)
                    .await?;
            }
            Ok(deleted)
        });
        Ok(ended.await?.value)
    }
}
