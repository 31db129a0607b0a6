//! SQL conditions of the audit log. Every combination of filters has an index that yields the events in their order, or a key's few events.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait, IntoCondition},
};
use uuid::Uuid;

use crate::{
    audit::{AuditQuery, AuditTarget, AuditedActor},
    id::TenantId,
    store::entity::audit_event::Column,
};

// SQLite uses a partial index only if the query repeats its condition, with literals in place of parameters. These two must therefore
// equal the conditions of the indexes in the migrations.
const OF_INSTALLATION: &str = "(tenant_id IS NULL OR target_kind = 'tenant')";
const BY_CLI: &str = "actor_kind = 'cli'";

/// The owner of the events.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    Tenant(TenantId),
    /// Events without a tenant, and changes of tenants.
    Installation,
}

pub(super) fn owned_by(subject: Subject) -> Condition {
    match subject {
        Subject::Tenant(tenant) => Column::TenantId.eq(tenant.as_uuid()).into_condition(),
        Subject::Installation => Condition::all().add(Expr::cust(OF_INSTALLATION)),
    }
}

/// The conditions of `query`'s filters.
pub(super) fn matching(query: &AuditQuery) -> Condition {
    let action = query
        .action
        .map(|action| Column::Action.eq(action.as_str()));
    let actor = query.actor.map(|actor| match actor {
        AuditedActor::Id(id) => Column::ActorId.eq(id),
        AuditedActor::Cli => Expr::cust(BY_CLI),
    });
    let mut all = Condition::all()
        .add_option(query.from.map(|from| Column::At.gte(from)))
        .add_option(query.to.map(|to| Column::At.lt(to)));
    let Some(keys) = &query.keys else {
        return all.add_option(action).add_option(actor);
    };
    all = all.add(match keys.as_slice() {
        [key] => Column::TargetId.eq(key.as_uuid()),
        keys => Column::TargetId.is_in(keys.iter().map(|key| key.as_uuid())),
    });
    all.add(Column::TargetKind.eq(AuditTarget::API_KEY))
        .add_option(action.map(without_index))
        .add_option(actor.map(without_index))
}

/// The same condition in a form that no index answers: a key has few events, an actor or an action may have very many.
fn without_index(condition: Expr) -> Expr {
    condition.eq(true)
}

// The first half of each condition lets an index over the time find the place.

pub(super) fn older(at: DateTime<Utc>, event: Uuid) -> Condition {
    Condition::all().add(Column::At.lte(at)).add(
        Condition::any()
            .add(Column::At.lt(at))
            .add(Column::Id.lt(event)),
    )
}

pub(super) fn not_newer(at: DateTime<Utc>, event: Uuid) -> Condition {
    Condition::all().add(Column::At.lte(at)).add(
        Condition::any()
            .add(Column::At.lt(at))
            .add(Column::Id.lte(event)),
    )
}

pub(super) fn newer(at: DateTime<Utc>, event: Uuid) -> Condition {
    Condition::all().add(Column::At.gte(at)).add(
        Condition::any()
            .add(Column::At.gt(at))
            .add(Column::Id.gt(event)),
    )
}
