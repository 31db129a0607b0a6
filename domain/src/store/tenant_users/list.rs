//! The list of a tenant's people: users and open invitations, by address, with search and pages.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, DbBackend, EntityTrait, Order, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func},
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

use super::TenantUsers;
use crate::{
    Error,
    id::TenantId,
    page::{self, TwoWayPage},
    store::{
        cursor,
        entity::{one_time_link, user},
        error::damaged,
        one_time_links::LinkPurpose,
    },
    user::{Email, Role},
};

/// The search, filter and page of a list of people.
#[derive(Clone, Debug)]
pub struct PeopleQuery {
    /// Text that the name or address contains. At most 100 characters; further ones are ignored.
    pub search: String,
    /// Only people in this state.
    pub state: Option<PersonState>,
    /// The number of people on the page, 1 to [`page::MAX_LIMIT`].
    pub limit: u32,
    /// A cursor of a page of the same list.
    pub cursor: Option<String>,
}

impl Default for PeopleQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            state: None,
            limit: page::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// The state of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonState {
    /// The user may sign in.
    Active,
    /// The address is invited; there is no user yet.
    Invited,
    /// The user is disabled.
    Disabled,
}

impl PersonState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Invited, Self::Disabled];

    /// The word in URLs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Invited => "invited",
            Self::Disabled => "disabled",
        }
    }

    /// Parses the word in URLs.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A user or an invited address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The identifier of the user or of the invitation.
    pub id: Uuid,
    /// The address.
    pub email: Email,
    /// The name; `None` for an invited address.
    pub name: Option<String>,
    /// The role.
    pub role: Role,
    /// The state.
    pub state: PersonState,
    /// The time of the last sign-in.
    pub last_signed_in_at: Option<DateTime<Utc>>,
    /// The end of the invitation, or of the link that sets the user's new password, while it is open.
    pub link_until: Option<DateTime<Utc>>,
}

/// A page of people, and the numbers of the tenant's users.
#[derive(Clone, Debug)]
pub struct People {
    /// By address.
    pub page: TwoWayPage<Person>,
    /// The number of users, without invited addresses.
    pub users: u64,
    /// The number of enabled administrators.
    pub administrators: u64,
}

/// The position of a cursor: an address, which is unique in the list, and the side on which the page lies.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    person: String,
    is_before: bool,
}

impl Position {
    fn write(person: &Person, is_before: bool) -> Result<String, Error> {
        cursor::write(&Self {
            person: person.email.to_string(),
            is_before,
        })
    }

    fn read(cursor: &str) -> Result<Self, Error> {
        let position: Self = cursor::read(cursor)?;
        // PostgreSQL's text cannot contain a NUL, so no address does.
        if position.person.contains('\0') {
            return Err(Error::InvalidCursor);
        }
        Ok(position)
    }
}

impl TenantUsers<'_> {
    /// One page of the people who match `query`, by address. A limit out of bounds is clamped.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that this list did not issue, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn people(&self, query: &PeopleQuery, now: DateTime<Utc>) -> Result<People, Error> {
        let tenant = self.scope.tenant_id();
        let search: String = query.search.trim().chars().take(100).collect();
        // No stored text contains a NUL, and PostgreSQL rejects it.
        let has_match = !search.contains('\0');
        let position = query.cursor.as_deref().map(Position::read).transpose()?;
        let limit = query.limit.clamp(1, page::MAX_LIMIT) as usize;
        let list = List {
            backend: self.database.backend(),
            tenant,
            search: crate::text::lowered(&search),
            position: position.as_ref(),
        };
        let lists = self.database.lists(Some(tenant)).await?;
        lists
            .with_timeout(async {
                let reader: &DatabaseConnection = &lists;
                let mut people = Vec::new();
                // Reads one row more than the page holds, to detect a further page.
                let rows = limit as u64 + 1;
                if has_match && query.state != Some(PersonState::Invited) {
                    let select = list.users(query.state).limit(rows);
                    people.extend(with_links(select.all(reader).await?, now, reader).await?);
                }
                let is_of_users = matches!(
                    query.state,
                    Some(PersonState::Active | PersonState::Disabled)
                );
                if has_match && !is_of_users {
                    let select = list.invitations(now).limit(rows);
                    let rows = select.all(reader).await?;
                    let invited = rows.iter().map(invited);
                    people.extend(invited.collect::<Result<Vec<_>, _>>()?);
                }
                people.sort_by(|one, other| one.email.cmp(&other.email));
                let is_before = position.as_ref().map(|position| position.is_before);
                if is_before == Some(true) {
                    people.reverse();
                }
                people.truncate(limit + 1);
                let users = of_tenant(tenant).count(reader).await?;
                let administrators = of_tenant(tenant)
                    .filter(user::Column::Role.eq(Role::TenantAdmin.as_str()))
                    .filter(user::Column::DisabledAt.is_null())
                    .count(reader)
                    .await?;
                Ok::<_, Error>(People {
                    page: TwoWayPage::from_rows(people, limit, is_before, Position::write)?,
                    users,
                    administrators,
                })
            })
            .await
    }
}

fn of_tenant(tenant: TenantId) -> Select<user::Entity> {
    user::Entity::find().filter(user::Column::TenantId.eq(tenant.as_uuid()))
}

/// What both selects of a list have in common.
struct List<'a> {
    backend: DbBackend,
    tenant: TenantId,
    /// In lower case.
    search: String,
    position: Option<&'a Position>,
}

impl List<'_> {
    fn users(&self, state: Option<PersonState>) -> Select<user::Entity> {
        let mut select = of_tenant(self.tenant).order_by(user::Column::Email, self.order());
        match state {
            Some(PersonState::Active) => {
                select = select.filter(user::Column::DisabledAt.is_null());
            }
            Some(PersonState::Disabled) => {
                select = select.filter(user::Column::DisabledAt.is_not_null());
            }
            Some(PersonState::Invited) | None => {}
        }
        if !self.search.is_empty() {
            let matches = Condition::any()
                .add(self.contains(Expr::col((user::Entity, user::Column::Email))))
                .add(self.contains(Expr::col((user::Entity, user::Column::Name))));
            select = select.filter(matches);
        }
        match self.position {
            None => select,
            Some(position) if position.is_before => {
                select.filter(user::Column::Email.lt(&position.person))
            }
            Some(position) => select.filter(user::Column::Email.gt(&position.person)),
        }
    }

    fn invitations(&self, now: DateTime<Utc>) -> Select<one_time_link::Entity> {
        use one_time_link::{Column, Entity};
        let mut select = Entity::find()
            .filter(Column::TenantId.eq(self.tenant.as_uuid()))
            .filter(Column::Purpose.eq(LinkPurpose::Invitation.as_str()))
            .filter(Column::EndedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .order_by(Column::Email, self.order());
        if !self.search.is_empty() {
            select = select.filter(self.contains(Expr::col((Entity, Column::Email))));
        }
        match self.position {
            None => select,
            Some(position) if position.is_before => {
                select.filter(Column::Email.lt(&position.person))
            }
            Some(position) => select.filter(Column::Email.gt(&position.person)),
        }
    }

    fn order(&self) -> Order {
        if self.position.is_some_and(|position| position.is_before) {
            Order::Desc
        } else {
            Order::Asc
        }
    }

    /// Whether the column contains the search; wildcards of `LIKE` have no meaning. SQLite lower-cases ASCII letters only.
    fn contains(&self, column: Expr) -> Expr {
        let position = match self.backend {
            DbBackend::Sqlite => "instr",
            _ => "strpos",
        };
        Func::cust(position)
            .args([
                Expr::from(Func::lower(column)),
                Expr::val(self.search.as_str()),
            ])
            .gt(0)
    }
}

/// Adds to each user the end of the open link that sets a new password.
async fn with_links(
    rows: Vec<user::Model>,
    now: DateTime<Utc>,
    reader: &DatabaseConnection,
) -> Result<Vec<Person>, Error> {
    use one_time_link::{Column, Entity};
    let links = Entity::find()
        .select_only()
        .column(Column::UserId)
        .column(Column::ExpiresAt)
        .filter(Column::UserId.is_in(rows.iter().map(|row| row.id)))
        .filter(Column::Purpose.eq(LinkPurpose::NewPassword.as_str()))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .into_tuple::<(Uuid, DateTime<Utc>)>()
        .all(reader)
        .await?;
    let until: HashMap<_, _> = links.into_iter().collect();
    let people = rows.into_iter().map(|row| {
        Ok(Person {
            id: row.id,
            email: row.email.parse().map_err(|_| damaged("email"))?,
            name: Some(row.name),
            role: row.role.parse().map_err(|_| damaged("role"))?,
            state: match row.disabled_at {
                None => PersonState::Active,
                Some(_) => PersonState::Disabled,
            },
            last_signed_in_at: row.last_signed_in_at,
            link_until: until.get(&row.id).copied(),
        })
    });
    people.collect()
}

fn invited(row: &one_time_link::Model) -> Result<Person, Error> {
    Ok(Person {
        id: row.id,
        email: row.email.parse().map_err(|_| damaged("email"))?,
        name: None,
        role: row.role.parse().map_err(|_| damaged("role"))?,
        state: PersonState::Invited,
        last_signed_in_at: None,
        link_until: Some(row.expires_at),
    })
}
