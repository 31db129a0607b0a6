//! The form of "Would it pass?" and its result.

use chrono::{DateTime, Utc};
use domain::key::{
    ApiKey, KeyStatus,
    simulation::{Check, CheckOutcome, SimulatedRequest, Simulation},
};
use leptos::prelude::*;
use std::net::IpAddr;

use super::{
    allow_url, reasons,
    trial::{ANCHOR, TrialErrors, TrialQuery},
};
use crate::{components::Icon, current_tenant::use_tenant, urls, words};

/// A simulated request with its result.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) question: SimulatedRequest,
    pub(super) simulation: Simulation,
}

/// The card with the fields of `query`, their messages, and the result; `permissions` are suggested for completion.
pub(super) fn trial_card(
    key: &ApiKey,
    query: TrialQuery,
    errors: &TrialErrors,
    trial: Option<Trial>,
    permissions: Vec<String>,
) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let action = format!("{}#{ANCHOR}", urls::key(&key.id.to_string()));
    let tenant_field = tenant.0.map(|slug| {
        view! { <input type="hidden" name="tenant" value=slug /> }
    });
    let options = permissions
        .into_iter()
        .map(|permission| view! { <option value=permission></option> })
        .collect_view();
    let result = trial
        .map(|trial| view! { <div class="verdict" role="status">{verdict(key, &trial)}</div> });
    let ip = field("probe-ip", "ip", query.ip, errors.ip);
    let permission = field(
        "probe-permission",
        "permission",
        query.permission,
        errors.permission,
    );
    let at = field("probe-at", "at", query.at, errors.at);
    view! {
        <section class="card" aria-labelledby=ANCHOR>
            <div class="card-header">
                <h2 id=ANCHOR>"Would it pass?"</h2>
                <p>"Decides as a real request would. Does not count as use."</p>
            </div>
            <form class="probe probe-3" method="get" action=action novalidate>
                {tenant_field}
                {ip}
                {permission}
                <datalist id="probe-permissions">{options}</datalist>
                {at}
                <button class="button" data-wait="Checking…"><span>"Check"</span></button>
                <p class="hint" id="probe-hint">
                    "Without an address, the address is unknown. A time is written like 2027-07-01 00:00."
                </p>
            </form>
            {result}
        </section>
    }
    .into_any()
}

/// A field with its label and its message.
fn field(
    id: &'static str,
    name: &'static str,
    value: String,
    error: Option<&'static str>,
) -> impl IntoView {
    let error_id = format!("{id}-error");
    let described_by = match error {
        Some(_) => format!("{error_id} probe-hint"),
        None => "probe-hint".to_owned(),
    };
    let message = error.map(|message| {
        view! {
            <p class="field-error" id=error_id><Icon name="alert" /><span>{message}</span></p>
        }
    });
    let (label, is_optional, list, placeholder) = match name {
        "ip" => ("From address", false, None, None),
        "permission" => ("Permission ", true, Some("probe-permissions"), None),
        _ => ("When, UTC ", true, None, Some("now")),
    };
    let optional = is_optional.then(|| view! { <span class="optional">"(optional)"</span> });
    view! {
        <div class="field">
            <label class="label" for=id>{label}{optional}</label>
            <input
                class="input mono"
                id=id
                name=name
                value=value
                list=list
                placeholder=placeholder
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                maxlength="100"
                aria-invalid=error.map(|_| "true")
                aria-describedby=described_by
            />
            {message}
        </div>
    }
}

fn verdict(key: &ApiKey, trial: &Trial) -> impl IntoView + use<> {
    let Trial {
        question,
        simulation,
    } = trial;
    let callout = match &simulation.code {
        None => view! {
            <div class="callout" data-tone="success">
                <Icon name="check-circle" />
                <p><strong>"Accepted"</strong><br />{accepted(question)}</p>
            </div>
        }
        .into_any(),
        Some(code) => {
            let status = reasons::status(code).as_u16();
            let why = why(key, question, simulation);
            view! {
                <div class="callout" data-tone="danger">
                    <Icon name="x-circle" />
                    <p>
                        <strong>{format!("Refused: {status} ")}<code>{code.clone()}</code></strong>
                        <br />
                        {why}" "
                        <a href=use_tenant().get_untracked().help_on_refusal(code) rel="external">"What to do"</a>
                    </p>
                </div>
            }
            .into_any()
        }
    };
    let checks = simulation
        .checks
        .iter()
        .map(|(check, outcome)| line(key, question, *check, *outcome))
        .collect_view();
    view! { {callout}<ol class="checks">{checks}</ol> }
}

fn client(ip: Option<IpAddr>) -> String {
    ip.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string())
}

/// `1 Jul 2027, 00:00 UTC`.
fn instant(at: DateTime<Utc>) -> String {
    format!(
        "{}, {} UTC",
        words::date(at.date_naive()),
        at.format("%H:%M")
    )
}

fn accepted(question: &SimulatedRequest) -> String {
    let asks = (question.permission.as_ref())
        .map(|permission| format!(" that requires {permission}"))
        .unwrap_or_default();
    let when = (question.at)
        .map(|at| format!(" on {}", instant(at)))
        .unwrap_or_default();
    let from = client(question.ip);
    format!("A request from {from}{asks} passes{when}.")
}

/// The reason for which the deciding check fails, with its remedy.
fn why(key: &ApiKey, question: &SimulatedRequest, simulation: &Simulation) -> AnyView {
    let decided = simulation
        .checks
        .iter()
        .find(|(_, outcome)| *outcome == CheckOutcome::DecidedHere);
    match decided.map(|(check, _)| *check) {
        Some(Check::Revoked) => match key.revoked_at {
            Some(at) => format!("The key was revoked on {}.", words::date(at.date_naive())),
            None => "The key is revoked.".to_owned(),
        }
        .into_any(),
        Some(Check::Expired) => match key.expires_on {
            Some(on) => format!("The key’s last day is {}.", words::date(on.date())),
            None => "The key has expired.".to_owned(),
        }
        .into_any(),
        Some(Check::TenantSuspended) => {
            "Every request with a key of the tenant is refused while it is suspended.".into_any()
        }
        Some(Check::TenantIpAllowlist) => {
            let policy = use_tenant().get_untracked().url(urls::SECURITY_POLICY);
            let link = view! { <a href=policy>"Security Policy"</a> };
            let text = match question.ip {
                None => {
                    "The address is unknown, and the tenant-wide allowlist requires a known one. "
                        .to_owned()
                }
                Some(ip) => format!("{ip} is not in the tenant-wide allowlist. "),
            };
            view! { {text}{link} }.into_any()
        }
        Some(Check::IpAllowlist) => {
            let ranges = key.ip_allowlist.networks().len();
            match question.ip {
                None => "The address is unknown, and a key with an allowlist requires a known one."
                    .into_any(),
                Some(ip) => {
                    let text = match ranges {
                        1 => format!("{ip} is not in this key’s only range. "),
                        _ => format!(
                            "{ip} is in none of this key’s {} ranges. ",
                            words::grouped(ranges as u64)
                        ),
                    };
                    let add = (key.status == KeyStatus::Active).then(|| {
                        let href =
                            allow_url(&use_tenant().get_untracked(), key.id, &ip.to_string());
                        view! { <a href=href rel="external">"Add it to the allowlist"</a> }
                    });
                    view! { {text}{add} }.into_any()
                }
            }
        }
        Some(Check::Permission) => {
            let missing = simulation.missing_permission.clone().unwrap_or_default();
            let group = key.authorization_group.name.clone();
            view! { "The group "<bdi>{group}</bdi>" lacks "<code>{missing}</code>"." }.into_any()
        }
        None => ().into_any(),
    }
}

fn line(
    key: &ApiKey,
    question: &SimulatedRequest,
    check: Check,
    outcome: CheckOutcome,
) -> impl IntoView + use<> {
    let (result, icon) = match outcome {
        CheckOutcome::Passed => ("pass", "check"),
        CheckOutcome::DecidedHere => ("fail", "x"),
        CheckOutcome::NotReached => ("skipped", "minus"),
    };
    let name = match (check, &question.permission) {
        (Check::Revoked, _) => "Not revoked".into_any(),
        (Check::Expired, _) => "Not expired".into_any(),
        (Check::TenantSuspended, _) => "Tenant not suspended".into_any(),
        (Check::TenantIpAllowlist, _) => "Address in the tenant-wide allowlist".into_any(),
        (Check::IpAllowlist, _) => "Address in the allowlist".into_any(),
        (Check::Permission, Some(permission)) => {
            view! { "Group has "<code>{permission.to_string()}</code> }.into_any()
        }
        (Check::Permission, None) => "Group has the permission".into_any(),
    };
    let detail = match (outcome, check) {
        (CheckOutcome::DecidedHere, _) => "decided here".to_owned(),
        (CheckOutcome::NotReached, _) => "not reached".to_owned(),
        (CheckOutcome::Passed, Check::Expired) => match key.expires_on {
            Some(on) => format!("until {}", words::date(on.date())),
            None => "never expires".to_owned(),
        },
        (CheckOutcome::Passed, Check::IpAllowlist) if key.ip_allowlist.is_empty() => {
            "any address".to_owned()
        }
        (CheckOutcome::Passed, Check::Permission) if question.permission.is_none() => {
            "none required".to_owned()
        }
        (CheckOutcome::Passed, _) => String::new(),
    };
    // Icon and colour distinguish passed from failed; hidden text does so for screen readers.
    let passed = (outcome == CheckOutcome::Passed)
        .then(|| view! { <span class="visually-hidden">"passed "</span> });
    view! {
        <li data-result=result>
            <Icon name=icon />
            <span>{name}</span>
            <span>{passed}{detail}</span>
        </li>
    }
}
