//! `/api/v1/whoami`: what Latchkey sees of the one who asks.

use std::net::IpAddr;

use axum::{Extension, Json};
use domain::{key::ApiKey, permission::PermissionSet, tenant::TenantRef, verify::VerifiedKey};
use serde::Serialize;

/// The key, its tenant, what it may do, and from where it asks.
#[derive(Serialize)]
pub(crate) struct WhoAmI {
    #[serde(flatten)]
    key: ApiKey,
    tenant: TenantRef,
    permissions: PermissionSet,
    /// `null` where a trusted proxy named no usable client.
    client_ip: Option<IpAddr>,
}

/// `GET /api/v1/whoami`
pub(crate) async fn read_whoami(Extension(verified): Extension<VerifiedKey>) -> Json<WhoAmI> {
    Json(WhoAmI {
        client_ip: verified.client.ip(),
        key: verified.key,
        tenant: verified.tenant,
        permissions: verified.permissions,
    })
}
