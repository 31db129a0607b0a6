//! Second factors: the seed of a user's authenticator app.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "second_factors")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// The seed, encrypted.
    pub seed: String,
    /// The time at which the seed was made.
    pub created_at: DateTimeUtc,
    /// The token digest of the session that began the set-up, which alone may confirm it; null afterwards.
    pub session_digest: Option<Vec<u8>>,
    /// The time at which a code confirmed the seed; null while the set-up is not complete.
    pub enabled_at: Option<DateTimeUtc>,
    /// The time of the last use of a code of the app; null before.
    pub last_used_at: Option<DateTimeUtc>,
    /// The time step of the last used code. Codes of this step and of earlier ones are refused.
    pub last_step: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
