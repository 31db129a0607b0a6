//! Differences of links to persons of single sign-on: a link that was removed or replaced since is removed.

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::{Difference, field, rows};
use crate::{
    Error,
    audit::{AuditAction, AuditTarget},
};

#[derive(FromQueryResult)]
struct LinkRow {
    issuer: String,
    subject: String,
    user_id: Uuid,
    tenant_id: Option<Uuid>,
    email: String,
}

const LINKS: &str = "
    SELECT old.issuer, old.subject, old.user_id, users.tenant_id, users.email
    FROM restored.user_identities AS old
    JOIN restored.users AS users ON users.id = old.user_id
    LEFT JOIN main.user_identities AS new
        ON new.issuer = old.issuer AND new.subject = old.subject AND new.user_id = old.user_id
    WHERE new.user_id IS NULL
    ORDER BY old.issuer, old.subject";

const UNLINK: &str = "DELETE FROM user_identities WHERE issuer = $1 AND subject = $2";

/// Finds links that no longer exist. (A new link is not taken over: an operator makes it again.)
pub(super) async fn find(transaction: &impl ConnectionTrait) -> Result<Vec<Difference>, Error> {
    let links = rows::<LinkRow>(transaction, LINKS, Vec::new()).await?;
    let differences = links.into_iter().map(|link| Difference {
        tenant_id: link.tenant_id,
        action: AuditAction::UserSsoUnlinked,
        target: AuditTarget::account(Some(link.user_id), link.email),
        reason: "the link to the person of single sign-on is gone since",
        changes: field("subject", Some(&link.subject), None::<()>),
        statement: (UNLINK, vec![link.issuer.into(), link.subject.into()]),
    });
    Ok(differences.collect())
}
