//! Links a person of the provider to a user, for an operator at the command line.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ModelTrait, QueryFilter, QuerySelect, SqlErr,
};
use serde_json::json;

use super::SingleSignOn;
use crate::{
    Error,
    audit::AuditAction,
    store::{
        audit::Event,
        clock,
        entity::{user, user_identity},
        scope::OperatorScope,
        users,
        write::Write,
    },
    user::{Email, User},
};

/// The longest subject, in bytes; the standard permits 255 ASCII characters.
pub(super) const LONGEST_SUBJECT: usize = 255;

impl SingleSignOn<'_> {
    /// Links the person `subject` of the provider `issuer` to the user with this e-mail address, also to a super user. Replaces the user's
    /// earlier person of that provider. Writes nothing if the person is linked already.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `subject`; [`Error::NotFound`]; [`Error::AlreadyExists`] if another user has this person;
    /// [`Error::Unavailable`].
    pub async fn link(
        &self,
        operator: &OperatorScope,
        email: &Email,
        issuer: &str,
        subject: &str,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        let is_valid = !subject.is_empty()
            && subject.len() <= LONGEST_SUBJECT
            && crate::text::is_plain_line(subject);
        if !is_valid {
            return Err(Error::invalid(
                "subject",
                "Must be the provider's identifier of the person (claim sub), 1 to 255 characters",
            ));
        }
        let now = clock::stored(now);
        let taken = || Error::AlreadyExists {
            what: "a link of the subject",
            name: subject.to_owned(),
        };
        let linked = self.database.write(Write::Plain, async |transaction| {
            let row = user::Entity::find()
                .filter(user::Column::Email.eq(email.as_str()))
                .lock_exclusive()
                .one(transaction)
                .await?
                .ok_or(Error::NotFound("user"))?;
            let person = (issuer.to_owned(), subject.to_owned());
            let of_person = user_identity::Entity::find_by_id(person)
                .one(transaction)
                .await?;
            match of_person {
                Some(identity) if identity.user_id == row.id => return users::from_row(row),
                Some(_) => return Err(taken()),
                None => {}
            }
            let earlier = user_identity::Entity::find()
                .filter(user_identity::Column::UserId.eq(row.id))
                .filter(user_identity::Column::Issuer.eq(issuer))
                .one(transaction)
                .await?;
            let earlier_subject = earlier.as_ref().map(|identity| identity.subject.clone());
            if let Some(earlier) = earlier {
                earlier.delete(transaction).await?;
            }
            let inserted = user_identity::Entity::insert(user_identity::ActiveModel {
                issuer: Set(issuer.to_owned()),
                subject: Set(subject.to_owned()),
                user_id: Set(row.id),
                role_from_claim: Set(false),
                created_at: Set(now),
            })
            .exec_without_returning(transaction)
            .await;
            inserted.map_err(|error| match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => taken(),
                _ => error.into(),
            })?;
            let user = users::from_row(row)?;
            let changes = json!({
                "issuer": { "before": null, "after": issuer },
                "subject": { "before": earlier_subject, "after": subject },
            });
            let action = AuditAction::UserSsoLinked;
            Event::by(operator.actor(), user.tenant_id, action, &user)
                .changing(changes)
                .append(transaction, now)
                .await?;
            Ok(user)
        });
        Ok(linked.await?.value)
    }
}
