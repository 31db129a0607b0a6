//! Which keys a list shows: status, expiration, lifetime, last use, search.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, DbBackend,
    sea_query::{Expr, ExprTrait, Func},
};

use crate::{
    Error,
    key::{
        KeyStatus,
        expiry::ExpirationState,
        query::{KeyLifetime, KeyQuery},
        today,
    },
    store::entity::api_key::Column,
    text,
};

/// What a query filters by, on the day of the reading.
pub(super) struct Filter {
    pub(super) status: Option<KeyStatus>,
    pub(super) expiration: Option<ExpirationState>,
    pub(super) lifetime: Option<KeyLifetime>,
    /// Keys that were used at or after this time are left out.
    pub(super) unused_since: Option<DateTime<Utc>>,
    pub(super) search: Search,
    pub(super) calendar: Calendar,
    backend: DbBackend,
}

/// What is searched for.
pub(super) enum Search {
    /// Nothing, which every key matches.
    Everything,
    /// What no key can match.
    Nothing,
    /// Keys whose name or description contains this text, which is lower-cased, or whose hint ends in it.
    Text(String),
}

/// The days between which the expiration states lie.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    today: NaiveDate,
    last_soon: NaiveDate,
}

impl Filter {
    /// # Errors
    /// [`Error::Invalid`] for a search that is too long.
    pub(super) fn new(
        query: &KeyQuery,
        now: DateTime<Utc>,
        soon_days: u32,
        backend: DbBackend,
    ) -> Result<Self, Error> {
        Ok(Self {
            status: query.status,
            expiration: query.expiration,
            lifetime: query.lifetime,
            unused_since: query.unused_days.map(|days| {
                let days = days.clamp(1, KeyQuery::MAX_UNUSED_DAYS);
                now - TimeDelta::days(days.into())
            }),
            search: Search::new(&query.q)?,
            calendar: Calendar::new(now, soon_days),
            backend,
        })
    }

    /// The conditions on a key. Without that on its date where `but_date` says so.
    pub(super) fn condition(&self, but_date: bool) -> Condition {
        self.condition_but_use(but_date)
            .add_option(self.unused_since.map(|time| opaque(unused_since(time))))
    }

    /// [`Self::condition`] without that on the last use.
    pub(super) fn condition_but_use(&self, but_date: bool) -> Condition {
        let by_date = self
            .expiration
            .filter(|_| !but_date)
            .map(|state| opaque(self.calendar.stands_at(state, Column::ExpiresOn)));
        Condition::all()
            .add_option(self.status.map(has_status))
            .add_option(by_date)
            .add_option(
                self.lifetime
                    .map(|KeyLifetime::Never| opaque(Column::ExpiresOn.is_null())),
            )
            .add_option(self.search.condition(self.backend))
    }
}

/// The same condition, in words by which SQLite finds no index. It would take one over the dates, even to sort most of the keys
/// afterwards, because it does not know how many a condition leaves. PostgreSQL knows, and reads the condition as it was.
pub(super) fn opaque(condition: impl Into<Expr>) -> Expr {
    condition.into().eq(Expr::Constant(true.into()))
}

/// The key was not used since `time`; if it never was, it is older.
fn unused_since(time: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(used_before(time))
        .add(never_used_since(time))
}

/// The key was used, and not since `time`.
pub(super) fn used_before(time: DateTime<Utc>) -> Condition {
    Condition::all().add(Column::LastUsedAt.lt(time))
}

/// The key was never used, and made before `time`.
pub(super) fn never_used_since(time: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(Column::LastUsedAt.is_null())
        .add(opaque(Column::CreatedAt.lt(time)))
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
    /// So many characters a hint ends in.
    const HINT_LENGTH: usize = 4;

    /// Takes `q` literally, whatever the case.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is too long.
    fn new(q: &str) -> Result<Self, Error> {
        if text::length(q) > KeyQuery::MAX_SEARCH {
            let message = format!("Must be at most {} characters", KeyQuery::MAX_SEARCH);
            return Err(Error::invalid("q", message));
        }
        let q = crate::text::lowered(&text::normalise(q));
        Ok(if q.is_empty() {
            Self::Everything
        } else if q.contains('\0') {
            // PostgreSQL's text cannot hold a NUL, so that nothing contains one.
            Self::Nothing
        } else {
            Self::Text(q)
        })
    }

    fn condition(&self, backend: DbBackend) -> Option<Condition> {
        match self {
            Self::Everything => None,
            Self::Nothing => Some(Condition::all().add(Expr::Constant(false.into()))),
            Self::Text(text) => Some(
                Condition::any()
                    .add(contains(Column::NameLower, text, backend))
                    .add(contains(Column::DescriptionLower, text, backend))
                    .add_option(
                        (text::length(text) == Self::HINT_LENGTH)
                            .then(|| hint_end(backend).eq(text.as_str())),
                    ),
            ),
        }
    }
}

/// Not `LIKE`, which SQLite matches character by character, in a time that is the product of both lengths. These compare memory.
fn contains(column: Column, text: &str, backend: DbBackend) -> Expr {
    let function = match backend {
        DbBackend::Sqlite => "instr",
        _ => "strpos",
    };
    Expr::from(Func::cust(function).args([Expr::col(column), Expr::val(text)])).gt(0)
}

/// The last four characters of a hint, which are ASCII, lower-cased: by PostgreSQL in no particular language.
fn hint_end(backend: DbBackend) -> Expr {
    Expr::cust(match backend {
        DbBackend::Sqlite => "lower(substr(hint, -4))",
        _ => "lower(right(hint, 4) COLLATE \"C\")",
    })
}
