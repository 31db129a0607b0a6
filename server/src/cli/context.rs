//! The context of the commands.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::store::{OperatorScope, Store, TenantScope};
use url::Url;

use crate::{
    failure::{Failure, NotFoundMessage as _},
    output::Output,
};

/// The context of every command except `serve`, `backup` and `restore`.
pub(super) struct CommandContext {
    pub(super) store: Store,
    pub(super) operator: OperatorScope,
    pub(super) output: Output,
    pub(super) now: DateTime<Utc>,
    /// The setting `LATCHKEY_PUBLIC_URL`.
    pub(super) public_url: Option<Url>,
    /// The setting `LATCHKEY_OIDC_ISSUER`.
    pub(super) oidc_issuer: Option<Arc<str>>,
}

impl CommandContext {
    /// Acts in the tenant of that slug.
    pub(super) async fn tenant(&self, slug: &str) -> Result<TenantScope, Failure> {
        let tenants = self.store.tenants(&self.operator);
        tenants.scope(slug).await.or_tenant_not_found(slug)
    }
}
