//! The identifier in a path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use domain::{
    Error,
    id::{GroupId, KeyId},
};
use http::request::Parts;

use super::error::ApiError;

/// The id in the path `…/{id}`. A malformed one is not found.
pub(crate) struct PathId<Id>(pub(crate) Id);

/// An identifier, with the name of its resource in errors.
pub(crate) trait ResourceId: FromStr {
    const RESOURCE: &'static str;
}

impl ResourceId for KeyId {
    const RESOURCE: &'static str = "API key";
}

impl ResourceId for GroupId {
    const RESOURCE: &'static str = "authorization group";
}

impl<S: Send + Sync, Id: ResourceId> FromRequestParts<S> for PathId<Id> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<String>::from_request_parts(parts, state)
            .await
            .ok()
            .and_then(|Path(id)| id.parse().ok())
            .map(Self)
            .ok_or(ApiError::Failed(Error::NotFound(Id::RESOURCE)))
    }
}
