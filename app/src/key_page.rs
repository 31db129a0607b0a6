//! The page of one key: its facts, how it is used and refused, whether a request would pass, and who changed it. A page without script.

mod addresses;
mod chart;
mod facts;
mod history;
mod reasons;
mod refusals;
mod totals;
mod trial;
mod trial_card;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    audit::{AuditEvent, AuditQuery},
    id::KeyId,
    key::{
        ApiKey, KeyStatus,
        lifetime::LifetimeRule,
        usage::{KeyUsage, RefusalReason},
    },
    page,
    permission::PermissionSet,
    store::{Store, TenantScope},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use self::{
    addresses::addresses_card,
    chart::usage_card,
    facts::facts,
    history::history_card,
    refusals::refusals_card,
    trial::{TrialErrors, TrialQuery},
    trial_card::{Trial, trial_card},
};
use crate::{
    api_keys::dialog_target::{DialogKind, DialogTarget},
    components::{Breadcrumb, ExpirationBadge, Icon, PageTitle, StatusBadge},
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls::{self, TenantQuery},
    words,
};

/// Days of the chart, today among them.
const CHART_DAYS: u32 = 30;
/// Events of the card History.
const HISTORY: usize = 10;
/// Groups whose permissions the field of the permission offers.
const OFFERED_GROUPS: u32 = 50;

/// The data of the page.
#[derive(Clone, Debug)]
struct KeyDetails {
    key: ApiKey,
    /// The tenant's rule for the expiration date.
    rule: LifetimeRule,
    /// The permissions of the key's group; `None` if the group was deleted.
    permissions: Option<PermissionSet>,
    /// Permissions of the tenant's groups.
    known_permissions: Vec<String>,
    usage: KeyUsage,
    refusals: Vec<RefusalReason>,
    /// The newest events, the newest first.
    events: Vec<AuditEvent>,
    /// The messages of the form, or its result.
    trial: Result<Option<Trial>, TrialErrors>,
    now: DateTime<Utc>,
}

/// The dialog that edits the key, with `ip` added to its allowlist.
fn allow_url(tenant: &TenantQuery, id: KeyId, ip: &str) -> String {
    dialog(tenant, DialogKind::Edit, id, &[(urls::ALLOW, ip)])
}

/// The dialog of the key, which leads back to this page.
fn dialog(
    tenant: &TenantQuery,
    kind: DialogKind,
    id: KeyId,
    parameters: &[(&str, &str)],
) -> String {
    let target = DialogTarget {
        kind,
        id: id.to_string(),
    };
    urls::with_opener(tenant.url_with(&target.path(), parameters), true)
}

/// How long ago an instant was, within a sentence.
fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    let text = words::relative(at, now).to_lowercase();
    view! { <time datetime=words::machine(at) title=words::exact(at)>{text}</time> }
}

/// The page.
#[component]
pub fn KeyPage() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let parameters = use_query_map().get_untracked();
    let tenant = parameters.get("tenant");
    let query = TrialQuery::new(|name| parameters.get(name));
    view! {
        <Suspense>
            {Suspend::new(async move {
                let details = ssr::respond(read_details(id, query.clone(), tenant)).await;
                match details {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(details) => view! { <Details query details /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

async fn read_details(
    id: String,
    query: TrialQuery,
    tenant: Option<String>,
) -> Result<KeyDetails, AppError> {
    let request = ssr::request()?;
    let (store, now) = (&request.store, request.now);
    let scope = ssr::tenant_request_of(&request, tenant.as_deref())
        .await?
        .scope;
    let id: KeyId = (id.parse()).map_err(|_| AppError::new(ErrorCode::NotFound))?;
    let keys = store.keys(&scope);
    let key = keys.get(id, now).await?;
    let trial = match query.question() {
        Err(errors) => Err(errors),
        Ok(None) => Ok(None),
        Ok(Some(question)) => {
            let simulation = keys.simulate(id, &question, now).await?;
            Ok(Some(Trial {
                question,
                simulation,
            }))
        }
    };
    let history = AuditQuery {
        keys: Some(vec![id]),
        limit: page::MAX_LIMIT,
        ..AuditQuery::default()
    };
    let (permissions, known_permissions) = permissions(store, &scope, &key).await?;
    Ok(KeyDetails {
        usage: keys.key_usage(id, CHART_DAYS, now).await?,
        refusals: keys.refusal_reasons(id, now).await?,
        events: store.audit(&scope).list(&history).await?.items,
        permissions,
        known_permissions,
        trial,
        rule: store.security_policy(&scope).lifetime_rule().await?,
        key,
        now,
    })
}

/// The permissions of the key's group, and those of the tenant's first groups by name.
async fn permissions(
    store: &Store,
    scope: &TenantScope,
    key: &ApiKey,
) -> Result<(Option<PermissionSet>, Vec<String>), AppError> {
    let groups = store.groups(scope);
    let own = match groups.find(&key.authorization_group.id.to_string()).await {
        Ok(group) => Some(group.permissions),
        Err(domain::Error::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let offered = groups.page(OFFERED_GROUPS, None).await?.items;
    let known: BTreeSet<String> = own
        .iter()
        .chain(offered.iter().map(|group| &group.permissions))
        .flat_map(PermissionSet::iter)
        .map(ToString::to_string)
        .collect();
    Ok((own, known.into_iter().collect()))
}

/// The days of these events, the oldest first, from `first` on.
fn days_of(events: &[AuditEvent], first: NaiveDate) -> Vec<NaiveDate> {
    let days: BTreeSet<_> = events
        .iter()
        .map(|event| event.at.date_naive())
        .filter(|day| *day >= first)
        .collect();
    days.into_iter().collect()
}

#[component]
fn Details(query: TrialQuery, details: KeyDetails) -> impl IntoView {
    let KeyDetails {
        key,
        rule,
        permissions,
        known_permissions,
        usage,
        refusals,
        mut events,
        trial,
        now,
    } = details;
    let first = usage.days.first().map_or(now.date_naive(), |day| day.date);
    let changed = days_of(&events, first);
    events.truncate(HISTORY);
    let today = usage.days.last().cloned();
    let (errors, answer) = match trial {
        Ok(answer) => (TrialErrors::default(), answer),
        Err(errors) => (errors, None),
    };
    let is_older = key.created_at.date_naive() < first;
    let refusals = refusals_card(&key, &refusals, today.as_ref(), now);
    let addresses = addresses_card(usage.addresses, now.date_naive());
    let trial = trial_card(&key, query, &errors, answer, known_permissions);
    let history = history_card(key.id, &events);
    let usage = usage_card(&usage.days, &changed, is_older);
    let header = header(&key);
    let facts = facts(&key, rule, permissions, &events, now);
    let name = key.name.to_string();
    let parent = Signal::stored(use_tenant().get_untracked().url(urls::API_KEYS));
    let title = name.clone();
    view! {
        <PageTitle text=format!("{title} – Latchkey") />
        <div class="page">
            <Breadcrumb
                section=MenuSection::DataAndMonitoring
                parent=("API Keys", parent)
                page=name
            />
            {header}
            <div class="key-page">
                <div class="key-page-main">
                    {usage}
                    {refusals}
                    {addresses}
                    {trial}
                    {history}
                </div>
                {facts}
            </div>
        </div>
    }
    .into_any()
}

/// Name, badges, description, and the dialogs of a key that is not revoked.
fn header(key: &ApiKey) -> impl IntoView + use<> {
    let tenant = use_tenant().get_untracked();
    let description = key.description.as_str().to_owned();
    let description = (!description.is_empty())
        .then(|| view! { <div class="page-meta key-description" dir="auto">{description}</div> });
    let buttons = (key.status == KeyStatus::Active).then(|| {
        let href = |kind| dialog(&tenant, kind, key.id, &[]);
        view! {
            <div class="key-buttons">
                <a class="button" href=href(DialogKind::Edit) rel="external"><Icon name="pencil" />"Edit"</a>
                <a class="button" href=href(DialogKind::Rotate) rel="external">
                    <Icon name="rotate" />"Rotate"
                </a>
                <a class="button button-danger-quiet" href=href(DialogKind::Revoke) rel="external">
                    <Icon name="trash" />"Revoke"
                </a>
            </div>
        }
    });
    view! {
        <header class="page-header">
            <div>
                <div class="key-title">
                    <h1 tabindex="-1" dir="auto">{key.name.to_string()}</h1>
                    <StatusBadge status=key.status />
                    <ExpirationBadge
                    state=key.expiration
                    status=key.status
                    outside_policy=key.outside_policy
                />
                </div>
                {description}
            </div>
            {buttons}
        </header>
    }
}
