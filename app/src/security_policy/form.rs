//! The page: the form of the security policy, and what each rule finds now.

use chrono::{DateTime, Utc};
use domain::{
    client_address::ClientAddress,
    key::{lifetime::LifetimeDays, today},
    security_policy::{
        PolicyFindings, SecurityPolicy, TenantAllowlistPreview, field, form::SecurityPolicyForm,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{SubmittedPolicy, allowlist::allowlist_field};
use crate::{
    api_keys::list_query::ListQuery,
    components::{
        Breadcrumb, Callout, FieldErrors, Icon, PageTitle, Tone,
        field::{described_by, invalid},
    },
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls::{self, TenantQuery},
    words,
};

/// The data of the page.
struct PolicyData {
    stored: SecurityPolicy,
    /// The keys outside the rules in the form.
    findings: PolicyFindings,
    /// The effect of the allowlist in the form; `None` for an empty or invalid one.
    preview: Option<TenantAllowlistPreview>,
    client: ClientAddress,
    now: DateTime<Utc>,
}

/// The page.
#[component]
pub fn SecurityPolicyPage() -> impl IntoView {
    let tenant = use_query_map().with_untracked(|query| query.get("tenant"));
    let submitted = use_context::<SubmittedPolicy>();
    let typed = submitted.as_ref().map(|submitted| submitted.form.clone());
    view! {
        <Suspense>
            {Suspend::new(async move {
                match ssr::respond(read_policy(tenant, typed)).await {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(data) => page(data, submitted),
                }
            })}
        </Suspense>
    }
}

async fn read_policy(
    tenant: Option<String>,
    typed: Option<SecurityPolicyForm>,
) -> Result<PolicyData, AppError> {
    let request = ssr::request()?;
    let scope = ssr::tenant_request_of(&request, tenant.as_deref())
        .await?
        .scope;
    let stored = request.store.security_policy(&scope).get().await?;
    // The findings and the preview are those of the rules in the form, if these are valid.
    let form = typed.unwrap_or_else(|| SecurityPolicyForm::of(&stored));
    let rule = form
        .validate()
        .map_or_else(|_| stored.lifetime_rule(), |policy| policy.lifetime_rule());
    let keys = request.store.keys(&scope);
    let findings = keys.policy_findings(rule, request.now).await?;
    let preview = match form.parse_allowlist() {
        Ok(list) if !list.is_empty() => {
            Some(keys.preview_tenant_allowlist(&list, request.now).await?)
        }
        _ => None,
    };
    Ok(PolicyData {
        stored,
        findings,
        preview,
        client: request.client,
        now: request.now,
    })
}

fn page(data: PolicyData, submitted: Option<SubmittedPolicy>) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let PolicyData {
        stored,
        findings,
        preview,
        client,
        now,
    } = data;
    let is_check = submitted.as_ref().is_some_and(|form| form.error.is_none());
    let (form, version, error) = match submitted {
        Some(submitted) => (submitted.form, submitted.version, submitted.error),
        None => (SecurityPolicyForm::of(&stored), stored.version, None),
    };
    let mut fields = error
        .as_ref()
        .map_or_else(Vec::new, |error| error.fields.clone());
    if let (true, Err(errors)) = (is_check, form.validate()) {
        fields.extend(errors);
    }
    let errors_of = |name: &str| -> Vec<String> {
        let of_field = fields.iter().filter(|error| error.field == name);
        of_field.map(|error| error.message.clone()).collect()
    };
    let is_conflict = fields.is_empty()
        && error
            .as_ref()
            .is_some_and(|error| error.code == ErrorCode::Conflict);
    // After a conflict the next save replaces the policy that the page shows.
    let version = if is_conflict { stored.version } else { version };
    let failure = failure(error.as_ref(), &fields, is_conflict.then_some(&stored));
    let max = form.max_lifetime_days.trim().parse::<LifetimeDays>().ok();
    let ends = max.map(|days| {
        let last = words::date(days.after(today(now)).date());
        view! { <p class="hint">"A key generated today ends by "<strong>{last}</strong>"."</p> }
    });
    let requires_date = form.expiration_required || max.is_some();
    let longer = max.is_some().then(|| longer_note(&tenant, findings));
    let allowlist = allowlist_field(
        &form.ip_allowlist,
        &errors_of(field::IP_ALLOWLIST),
        client,
        preview.as_ref(),
    );
    let url = tenant.url(urls::SECURITY_POLICY);
    let cancel = url.clone();
    view! {
        <PageTitle text="Security Policy – Latchkey" />
        <div class="page">
            <Breadcrumb section=MenuSection::Access page="Security Policy" />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"Security Policy"</h1>
                    <div class="page-meta">
                        "Rules for all keys of this tenant. Keys that exist keep working; those outside the rules carry a badge."
                    </div>
                </div>
            </header>
            <form class="form" method="post" action=url novalidate>
                // Enter in a field presses the first button of a form: Save, and not Check.
                <button class="visually-hidden" name="action" value="save" tabindex="-1" aria-hidden="true">"Save"</button>
                <input type="hidden" name="version" value=version.to_string() />
                {failure}
                <div class="field">
                    <div class="field-about">
                        <span class="label">"Expiration"</span>
                        <p class="hint">"For new secrets: generated and rotated ones, in forms and in the API."</p>
                    </div>
                    <div class="field-control stack">
                        <div class="choice">
                            <input
                                class="check"
                                type="checkbox"
                                id="policy-required"
                                name=field::EXPIRATION_REQUIRED
                                value="on"
                                checked=form.expiration_required
                                aria-describedby="policy-required-hint"
                            />
                            <label for="policy-required">"An expiration date is required"</label>
                            <p class="hint" id="policy-required-hint">"Nobody can generate a key that never expires."</p>
                        </div>
                        {never_note(&tenant, findings, requires_date)}
                    </div>
                </div>
                {days_field(
                    Days {
                        id: "policy-max",
                        name: field::MAX_LIFETIME_DAYS,
                        label: "Longest lifetime ",
                        hint: "Counted from creation or rotation. 1 to 3,650 days. A key then needs an expiration date.",
                    },
                    &form.max_lifetime_days,
                    errors_of(field::MAX_LIFETIME_DAYS),
                    view! { {ends}{longer} }.into_any(),
                )}
                {days_field(
                    Days {
                        id: "policy-default",
                        name: field::DEFAULT_LIFETIME_DAYS,
                        label: "Preselected lifetime ",
                        hint: "What the form suggests.",
                    },
                    &form.default_lifetime_days,
                    errors_of(field::DEFAULT_LIFETIME_DAYS),
                    ().into_any(),
                )}
                {allowlist}
                <div class="field">
                    <div class="field-about"><span class="label">"Sign-in"</span></div>
                    <div class="field-control stack">
                        <div class="choice">
                            <input
                                class="check"
                                type="checkbox"
                                id="policy-second-factor"
                                name=field::SECOND_FACTOR_REQUIRED
                                value="on"
                                checked=form.second_factor_required
                                aria-describedby="policy-second-factor-hint"
                            />
                            <label for="policy-second-factor">"Every user needs a second factor"</label>
                            <p class="hint" id="policy-second-factor-hint">
                                "A user who has none sets it up at the next sign-in."
                            </p>
                        </div>
                    </div>
                </div>
                <div class="form-actions">
                    <a class="button" href=cancel>"Cancel"</a>
                    <button class="button button-primary" name="action" value="save" data-wait="Saving…"><span>"Save"</span></button>
                </div>
            </form>
        </div>
    }
    .into_any()
}

/// A field for a number of days.
#[derive(Clone, Copy)]
struct Days {
    id: &'static str,
    name: &'static str,
    label: &'static str,
    hint: &'static str,
}

fn days_field(days: Days, value: &str, errors: Vec<String>, below: AnyView) -> AnyView {
    let Days {
        id,
        name,
        label,
        hint,
    } = days;
    let errors = Signal::stored(errors);
    let hint_id = match id {
        "policy-max" => "policy-max-hint",
        _ => "policy-default-hint",
    };
    view! {
        <div class="field">
            <div class="field-about">
                <label class="label" for=id>{label}<span class="optional">"(optional)"</span></label>
                <p class="hint" id=hint_id>{hint}</p>
            </div>
            <div class="field-control stack">
                <div class="input-number">
                    <input
                        class="input"
                        id=id
                        name=name
                        value=value.to_owned()
                        inputmode="numeric"
                        autocomplete="off"
                        aria-invalid=invalid(errors)
                        aria-describedby=described_by(id, errors, hint_id)
                    />
                    <span>"days"</span>
                </div>
                <FieldErrors field=id errors />
                {below}
            </div>
        </div>
    }
    .into_any()
}

/// The active keys that never expire, with a badge if the rules in the form exclude them.
fn never_note(tenant: &TenantQuery, findings: PolicyFindings, requires_date: bool) -> AnyView {
    let sentence = match findings.never_expire {
        0 => "Every active key expires.".to_owned(),
        1 => "1 active key never expires.".to_owned(),
        keys => format!("{} active keys never expire.", words::grouped(keys)),
    };
    let href = ListQuery::never_expiring().url(tenant, urls::API_KEYS);
    impact(sentence, findings.never_expire, requires_date, href)
}

/// The active keys that live longer than the longest lifetime in the form.
fn longer_note(tenant: &TenantQuery, findings: PolicyFindings) -> AnyView {
    let sentence = match findings.live_longer {
        0 => "No active key lives longer.".to_owned(),
        1 => "1 active key lives longer.".to_owned(),
        keys => format!("{} active keys live longer.", words::grouped(keys)),
    };
    let href = ListQuery::outside_policy().url(tenant, urls::API_KEYS);
    impact(sentence, findings.live_longer, true, href)
}

fn impact(sentence: String, keys: u64, is_outside: bool, href: String) -> AnyView {
    let badge = (keys > 0 && is_outside).then(|| {
        view! { <span class="badge" data-tone="outline"><Icon name="policy" />"Outside policy"</span> }
    });
    let show = (keys > 0).then(|| {
        let label = if keys == 1 { "Show it" } else { "Show them" };
        view! { " "<a href=href rel="external">{label}</a> }
    });
    view! { <p class="impact">{badge}<span>{sentence}{show}</span></p> }.into_any()
}

/// The failure above the fields. After a change by another user, it shows the current policy.
fn failure(
    error: Option<&AppError>,
    fields: &[domain::FieldError],
    conflicting: Option<&SecurityPolicy>,
) -> Option<AnyView> {
    if !fields.is_empty() {
        return Some(
            view! {
                <Callout tone=Tone::Danger>
                    <p role="alert">"Nothing was changed. Correct the marked fields."</p>
                </Callout>
            }
            .into_any(),
        );
    }
    let error = error?;
    let Some(policy) = conflicting else {
        let message = error.message.clone();
        return Some(
            view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }.into_any(),
        );
    };
    let days = |days: Option<LifetimeDays>| days.map_or("none".to_owned(), |days| days.to_string());
    let yes_or_no = |is_set| if is_set { "yes" } else { "no" };
    let entries = policy.ip_allowlist.networks().len();
    let rows = [
        (
            "Expiration date required",
            yes_or_no(policy.expiration_required).to_owned(),
        ),
        ("Longest lifetime", days(policy.max_lifetime_days)),
        ("Preselected lifetime", days(policy.default_lifetime_days)),
        (
            "Tenant-wide IP allowlist",
            match entries {
                0 => "any address".to_owned(),
                entries => words::count(entries as u64, "entry", "entries"),
            },
        ),
        (
            "Second factor required",
            yes_or_no(policy.second_factor_required).to_owned(),
        ),
    ];
    let rows = rows
        .into_iter()
        .map(|(name, value)| view! { <li>{name}": "{value}</li> })
        .collect_view();
    Some(
        view! {
            <Callout tone=Tone::Danger>
                <div>
                    <p role="alert">
                        <strong>"The security policy was changed since you opened it."</strong>
                        " Nothing was saved, and what you typed is kept below."
                    </p>
                    <p>"It is now:"</p>
                    <ul>{rows}</ul>
                    <p>"Save again to replace it with what you typed."</p>
                </div>
            </Callout>
        }
        .into_any(),
    )
}
