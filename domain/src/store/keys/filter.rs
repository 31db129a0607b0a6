//! Filters of the list of keys: status, expiration, lifetime, last use, search.

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
        lifetime::{LifetimeDays, LifetimeRule},
        query::{KeyLifetime, KeyQuery},
        today,
    },
    store::entity::api_key::Column,
    text,
};

/// The filters of a query on the day of the request.
pub(super) struct Filter {
    pub(super) status: Option<KeyStatus>,
    pub(super) expiration: Option<ExpirationState>,
    pub(super) lifetime: Option<KeyLifetime>,
    /// Excludes keys that were used at or after this time.
    pub(super) unused_since: Option<DateTime<Utc>>,
    /// Only keys whose date breaks this rule.
    pub(super) outside: Option<LifetimeRule>,
    pub(super) search: Search,
    pub(super) calendar: Calendar,
    backend: DbBackend,
}

/// The search of a query.
pub(super) enum Search {
    /// No search: every key matches.
    Everything,
    /// A search that no key can match.
    Nothing,
    /// Matches keys whose name or description contains this text, or whose hint ends in it. The text is in lower case.
    Text(String),
}

/// The dates that separate the expiration states.
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
        outside: Option<LifetimeRule>,
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
            outside,
            search: Search::new(&query.q)?,
            calendar: Calendar::new(now, soon_days),
            backend,
        })
    }

    /// The conditions on a key. With `but_date`, without the condition on the expiration date.
    pub(super) fn condition(&self, but_date: bool) -> Condition {
        self.condition_but_use(but_date)
            .add_option(self.unused_since.map(|time| opaque(unused_since(time))))
    }

    /// [`Self::condition`] without the condition on the last use.
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
            .add_option(self.outside.map(|rule| outside(rule, self.backend)))
            .add_option(self.search.condition(self.backend))
    }
}

/// [`crate::key::ApiKey::outside_policy`] as a condition.
pub(super) fn outside(rule: LifetimeRule, backend: DbBackend) -> Condition {
    let breaks = Condition::any()
        .add_option(
            rule.requires_date()
                .then(|| opaque(Column::ExpiresOn.is_null())),
        )
        .add_option(rule.max_days.map(|max| lives_longer(max, backend)));
    if breaks.is_empty() {
        return Condition::all().add(Expr::Constant(false.into()));
    }
    Condition::all()
        .add(has_status(KeyStatus::Active))
        .add(breaks)
}

/// The key has an expiration date, which is more than `max` after the day of its creation or rotation.
pub(super) fn lives_longer(max: LifetimeDays, backend: DbBackend) -> Expr {
    let days = max.get();
    Expr::cust(match backend {
        DbBackend::Sqlite => {
            format!("expires_on > date(COALESCE(rotated_at, created_at), '+{days} days')")
        }
        _ => format!(
            "expires_on > CAST(COALESCE(rotated_at, created_at) AT TIME ZONE 'UTC' AS date) + {days}"
        ),
    })
}

/// The same condition in a form for which SQLite uses no index. SQLite lacks the statistics for the selectivity of a condition, so it would
/// choose an index over the dates even if it then had to sort most of the keys. PostgreSQL has statistics and simplifies the expression.
pub(super) fn opaque(condition: impl Into<Expr>) -> Expr {
    condition.into().eq(Expr::Constant(true.into()))
}

/// The key was not used since `time`; a key without a use was created before `time`.
fn unused_since(time: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(used_before(time))
        .add(never_used_since(time))
}

/// The key has a last use, and it is before `time`.
pub(super) fn used_before(time: DateTime<Utc>) -> Condition {
    Condition::all().add(Column::LastUsedAt.lt(time))
}

/// The key has no use and was created before `time`.
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
        // SQLite stores dates as text, which sorts correctly up to the year 9999; no key has a later date.
        let last_day = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
        let last_soon = today
            .checked_add_days(Days::new(soon_days.into()))
            .map_or(last_day, |date| Ord::min(date, last_day));
        Self { today, last_soon }
    }

    /// [`ExpirationState::on`] as a condition on the dates in `column`.
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

    /// [`Self::stands_at`] for keys with an expiration date.
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
    /// Number of characters of the secret at the end of a hint.
    const HINT_LENGTH: usize = 4;

    /// Searches for `q` literally and without regard to case.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `q` is too long.
    pub(super) fn new(q: &str) -> Result<Self, Error> {
        if text::length(q) > KeyQuery::MAX_SEARCH {
            let message = format!("Must be at most {} characters", KeyQuery::MAX_SEARCH);
            return Err(Error::invalid("q", message));
        }
        let q = crate::text::lowered(&text::normalise(q));
        Ok(if q.is_empty() {
            Self::Everything
        } else if q.contains('\0') {
            // PostgreSQL's text cannot contain a NUL, so no key matches.
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
                    .add_option(self.name_condition(backend))
                    .add(contains(Column::DescriptionLower, text, backend))
                    .add_option(self.hint_condition(backend)),
            ),
        }
    }

    /// Keys whose name contains the text. `None` without a text.
    pub(super) fn name_condition(&self, backend: DbBackend) -> Option<Condition> {
        let Self::Text(text) = self else { return None };
        Some(Condition::all().add(contains(Column::NameLower, text, backend)))
    }

    /// Keys whose secret ends in the text. `None` if the text has not the length of a hint's end.
    pub(super) fn hint_condition(&self, backend: DbBackend) -> Option<Condition> {
        match self {
            Self::Text(text) if text::length(text) == Self::HINT_LENGTH => {
                Some(Condition::all().add(hint_end(backend).eq(text.as_str())))
            }
            _ => None,
        }
    }
}

/// Avoids `LIKE`, whose time on SQLite grows with the product of both lengths. These functions compare memory.
fn contains(column: Column, text: &str, backend: DbBackend) -> Expr {
    let function = match backend {
        DbBackend::Sqlite => "instr",
        _ => "strpos",
    };
    Expr::from(Func::cust(function).args([Expr::col(column), Expr::val(text)])).gt(0)
}

/// The last four characters of a hint in lower case. They are ASCII, so PostgreSQL lower-cases them with the collation `C`.
fn hint_end(backend: DbBackend) -> Expr {
    Expr::cust(match backend {
        DbBackend::Sqlite => "lower(substr(hint, -4))",
        _ => "lower(right(hint, 4) COLLATE \"C\")",
    })
}
