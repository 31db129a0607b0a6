//! Actors: a signed-in user, an API key, or an operator at the command line.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    client_address::ClientAddress,
    id::{KeyId, UserId},
};

/// The kinds of actor, with their names in the JSON API and the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A signed-in user.
    User,
    /// An integration with an API key.
    ApiKey,
    /// An operator on the server's machine.
    Cli,
}

impl ActorKind {
    /// The word that is stored and displayed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::Cli => "cli",
        }
    }

    /// Parses the stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::User, Self::ApiKey, Self::Cli]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// The public part of an actor, as in a key's `created_by` and in an audit event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActorRef {
    /// The kind.
    #[serde(rename = "type")]
    pub kind: ActorKind,
    /// The identifier; `null` for the command line.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub id: Option<Uuid>,
    /// Its name at the time of the action.
    pub name: String,
}

/// The actor of a change, with the client address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The public part of the actor.
    pub who: ActorRef,
    /// The client address; `None` at the command line.
    pub client: Option<ClientAddress>,
}

impl Actor {
    /// The operator at the command line.
    #[must_use]
    pub fn cli() -> Self {
        Self {
            who: ActorRef {
                kind: ActorKind::Cli,
                id: None,
                name: "latchkey".to_owned(),
            },
            client: None,
        }
    }

    /// The operator at the command line, with the person's login name.
    #[must_use]
    pub fn cli_of(person: &str) -> Self {
        let mut actor = Self::cli();
        actor.who.name = person.to_owned();
        actor
    }

    /// A signed-in user.
    pub fn user(id: UserId, name: impl Into<String>, client: ClientAddress) -> Self {
        Self {
            who: ActorRef {
                kind: ActorKind::User,
                id: Some(id.as_uuid()),
                name: name.into(),
            },
            client: Some(client),
        }
    }

    /// An integration with an API key.
    pub fn api_key(id: KeyId, name: impl Into<String>, client: ClientAddress) -> Self {
        Self {
            who: ActorRef {
                kind: ActorKind::ApiKey,
                id: Some(id.as_uuid()),
                name: name.into(),
            },
            client: Some(client),
        }
    }
}
