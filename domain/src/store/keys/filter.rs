//! Which keys a list shows: status, expiration, search.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait, LikeExpr},
};

use super::row::lowered;
use crate::{
    key::{KeyStatus, expiry::ExpirationState, name::KeyDescription, query::KeyQuery, today},
    store::entity::api_key::Column,
    text,
};

/// What a query filters by, on the day of the reading.
pub(super) struct Filter {
    pub(super) status: Option<KeyStatus>,
    pub(super) expiration: Option<ExpirationState>,
    pub(super) search: Search,
    pub(super) calendar: Calendar,
}

/// What is searched for.
pub(super) enum Search {
    /// Nothing, which every key matches.
    Everything,
    /// What no key can match.
    Nothing,
    /// Keys whose name or description matches this pattern, which has [`Search::ESCAPE`] before what is literal.
    Pattern(String),
}

/// The days between which the expiration states lie.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    today: NaiveDate,
    last_soon: NaiveDate,
}

impl Filter {
    pub(super) fn new(query: &KeyQuery, now: DateTime<Utc>, soon_days: u32) -> Self {
        Self {
            status: query.status,
            expiration: query.expiration,
            search: Search::new(&query.q),
            calendar: Calendar::new(now, soon_days),
        }
    }

    /// The conditions on a key. Without that on its date where `but_date` says so.
    pub(super) fn condition(&self, but_date: bool) -> Condition {
        let by_date = self
            .expiration
            .filter(|_| !but_date)
            .map(|state| opaque(self.calendar.stands_at(state, Column::ExpiresOn)));
        Condition::all()
            .add_option(self.status.map(has_status))
            .add_option(by_date)
            .add_option(self.search.condition())
    }
}

/// The same condition, in words by which SQLite finds no index. It would take one over the dates, even to sort most of the keys
/// afterwards, because it does not know how many a condition leaves. PostgreSQL knows, and reads the condition as it was.
pub(super) fn opaque(condition: impl Into<Expr>) -> Expr {
    condition.into().eq(Expr::Constant(true.into()))
}

pub(super) fn has_status(status: KeyStatus) -> Expr {
    match status {
        KeyStatus::Active => Column::RevokedAt.is_null(),
        KeyStatus::Revoked => Column::RevokedAt.is_not_null(),
    }
}

impl Calendar {
    pub(super) fn new(now: DateTime<Utc>, soon_days: u32) -> Self {
        let today = today(now);
        // SQLite keeps dates as text, which sorts up to the year 9999; no key has a later one.
        let last_day = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
        let last_soon = today
            .checked_add_days(Days::new(soon_days.into()))
            .map_or(last_day, |date| Ord::min(date, last_day));
        Self { today, last_soon }
    }

    /// [`ExpirationState::on`] as a comparison of the dates in `column`.
    pub(super) fn stands_at(self, state: ExpirationState, column: impl ColumnTrait) -> Condition {
        match state {
            ExpirationState::Expired => Condition::all().add(column.lt(self.today)),
            ExpirationState::ExpiringSoon => {
                Condition::all().add(column.between(self.today, self.last_soon))
            }
            ExpirationState::Valid => Condition::any()
                .add(column.is_null())
                .add(self.later_than_soon(column)),
        }
    }

    /// The same among the keys that have a date.
    pub(super) fn dated_stands_at(self, state: ExpirationState) -> Condition {
        match state {
            ExpirationState::Valid => Condition::all().add(self.later_than_soon(Column::ExpiresOn)),
            state => self.stands_at(state, Column::ExpiresOn),
        }
    }

    fn later_than_soon(self, column: impl ColumnTrait) -> Expr {
        column.gt(self.last_soon)
    }
}

impl Search {
    /// Not the backslash, which PostgreSQL and SQLite take differently in a pattern.
    const ESCAPE: char = '!';
    /// Lower-casing makes at most two characters of one. SQLite fails on very long patterns; nothing that is kept is that long.
    const MAX_LENGTH: usize = 2 * KeyDescription::MAX_LENGTH;

    /// Takes `q` literally, whatever the case.
    fn new(q: &str) -> Self {
        let q = lowered(&text::normalise(q));
        if q.is_empty() {
            return Self::Everything;
        }
        // PostgreSQL's text cannot hold a NUL, so that nothing contains one.
        if text::length(&q) > Self::MAX_LENGTH || q.contains('\0') {
            return Self::Nothing;
        }
        let mut pattern = String::from("%");
        for character in q.chars() {
            if matches!(character, '%' | '_' | Self::ESCAPE) {
                pattern.push(Self::ESCAPE);
            }
            pattern.push(character);
        }
        pattern.push('%');
        Self::Pattern(pattern)
    }

    fn condition(&self) -> Option<Condition> {
        match self {
            Self::Everything => None,
            Self::Nothing => Some(Condition::all().add(Expr::Constant(false.into()))),
            Self::Pattern(pattern) => {
                let like = LikeExpr::new(pattern.as_str()).escape(Self::ESCAPE);
                Some(
                    Condition::any()
                        .add(Column::NameLower.like(like.clone()))
                        .add(Column::DescriptionLower.like(like)),
                )
            }
        }
    }
}
