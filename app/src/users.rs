//! The users of a tenant: list, invitations, and the confirmations of changes. Pages without script.

pub mod actions;
pub mod confirm;
pub mod invite;
pub mod link_page;
pub mod list;

use domain::store::one_time_links::LinkPurpose;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use crate::error::{AppError, ErrorCode};

/// The typed values of the invitation form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InviteForm {
    /// The address.
    pub email: String,
    /// The word of the role.
    pub role: String,
}

/// A refused form that is shown again, which the server provides as context to the page that it renders in response.
#[derive(Clone, Debug)]
pub struct SubmittedUser {
    /// The typed values; empty for a confirmation.
    pub form: InviteForm,
    /// The error.
    pub error: Option<AppError>,
}

/// The tenant in the URL.
fn named_tenant() -> Option<String> {
    use_query_map().with_untracked(|query| query.get("tenant"))
}

/// The user or invitation in the URL. A malformed id is not found.
fn id_in_path() -> Result<Uuid, AppError> {
    let id = use_params_map().with_untracked(|path| path.get("id"));
    id.and_then(|id| parse_id(&id))
        .ok_or_else(|| AppError::new(ErrorCode::NotFound))
}

/// Parses the identifier of a user or an invitation.
#[must_use]
pub fn parse_id(id: &str) -> Option<Uuid> {
    // Accepts only the hyphenated form, so that each object has one URL.
    (id.len() == 36).then(|| Uuid::try_parse(id).ok())?
}

/// The effect of a link, for the person who hands it over.
const fn effect(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::Invitation => "The person who opens it chooses name and password.",
        LinkPurpose::NewPassword => {
            "The person who opens it sets a new password, which ends all sessions of the user."
        }
        LinkPurpose::SignIn => "It signs the person in who opens it.",
    }
}
