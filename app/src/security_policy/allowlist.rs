//! The field of the tenant-wide allowlist, with the line that admits the user's address and the addresses that the list would refuse.

use domain::{
    client_address::ClientAddress,
    key::{allowlist::Allowlist, preview::AllowlistPreview},
    security_policy::{TenantAllowlistPreview, field},
};
use leptos::prelude::*;

use crate::{
    components::{
        Callout, FieldErrors, Icon, Tone,
        field::{described_by, invalid},
        text_area_content,
    },
    words,
};

/// The smallest number of lines of the field.
const MIN_ROWS: usize = 3;

/// The field. `preview` is the effect of the list; `None` for an invalid or empty one.
pub(super) fn allowlist_field(
    lines: &str,
    errors: &[String],
    client: ClientAddress,
    preview: Option<&TenantAllowlistPreview>,
) -> AnyView {
    let messages = Signal::stored(errors.to_vec());
    let count = lines.split('\n').count().max(MIN_ROWS);
    let numbers = (1..=count)
        .map(|number| {
            let mark = format!("Line {number}: ");
            let is_invalid = errors.iter().any(|error| error.starts_with(&mark));
            view! { <li data-invalid=is_invalid.then_some("")>{number}</li> }
        })
        .collect_view();
    let warnings = Allowlist::parse_lines(lines).map_or_else(
        |_| Vec::new(),
        |list| {
            let warnings = list.warnings().into_iter();
            warnings
                .map(|warning| {
                    view! { <Callout tone=Tone::Warning><p><strong>{warning}</strong></p></Callout> }
                })
                .collect()
        },
    );
    view! {
        <div class="field">
            <div class="field-about">
                <label class="label" for="policy-allowlist">
                    "Tenant-wide IP allowlist "<span class="optional">"(optional)"</span>
                </label>
                <p class="hint" id="policy-allowlist-hint">
                    "One address or range per line. A request must match it and the key’s own list. It holds for all keys as soon as you save, not for this console."
                </p>
            </div>
            <div class="field-control">
                <div class="lines">
                    <ol class="lines-numbers" aria-hidden="true">{numbers}</ol>
                    <textarea
                        class="input"
                        id="policy-allowlist"
                        name=field::IP_ALLOWLIST
                        rows=count.to_string()
                        spellcheck="false"
                        autocapitalize="none"
                        aria-invalid=invalid(messages)
                        aria-describedby=described_by("policy-allowlist", messages, "policy-allowlist-hint")
                        inner_html=text_area_content(lines)
                    ></textarea>
                </div>
                <FieldErrors field="policy-allowlist" errors=messages />
                {warnings}
                {client_note(lines, client)}
                <div>
                    <button class="button button-s" name="action" value="check" data-wait="Checking…"><span>"Check"</span></button>
                </div>
                {preview.map(preview_note)}
            </div>
        </div>
    }
    .into_any()
}

/// The user's address, and the line that admits it.
fn client_note(lines: &str, client: ClientAddress) -> AnyView {
    let Some(address) = client.ip() else {
        return view! {
            <p class="hint">
                "Latchkey can’t tell which address you are connecting from. A list with any entry refuses requests from unknown addresses."
            </p>
        }
        .into_any();
    };
    let address = address.to_string();
    let is_empty = lines.trim().is_empty();
    let admission = match Allowlist::line_that_admits(lines, client) {
        Some(line) => format!(": line {line} admits it."),
        None if is_empty => ": an empty list admits every address.".to_owned(),
        None => ": no line admits it. ".to_owned(),
    };
    let is_refused = !is_empty && Allowlist::line_that_admits(lines, client).is_none();
    let add = is_refused.then(|| add_button(&address));
    view! {
        <p class="hint">"You are connecting from "<code>{address}</code>{admission}{add}</p>
    }
    .into_any()
}

/// The button that adds an address to the list without saving it.
fn add_button(address: &str) -> impl IntoView + use<> {
    let value = address.to_owned();
    let named = format!(": {address}");
    view! {
        <button class="link" name="add" value=value>"Add it"<span class="visually-hidden">{named}</span></button>
    }
}

/// The addresses of the last days that the list would refuse.
fn preview_note(preview: &TenantAllowlistPreview) -> AnyView {
    let TenantAllowlistPreview {
        preview: all,
        is_partial,
        used_by,
    } = preview;
    let summary = all.summary("keys of this tenant");
    let partial = is_partial.then(|| {
        let judged = words::grouped(all.addresses);
        view! { <p>{format!("Only the {judged} addresses that were used last are judged.")}</p> }
    });
    let unjudged = all.unjudged().map(|sentence| view! { <p>{sentence}</p> });
    if all.refused.is_empty() {
        return view! {
            <Callout tone=Tone::Neutral><div><p>{summary}</p>{partial}{unjudged}</div></Callout>
        }
        .into_any();
    }
    let listed = all
        .refused
        .iter()
        .zip(used_by)
        .map(|(address, (_, key))| {
            let when = all.ago(address.last_date);
            let add = (address.ip.parse::<std::net::IpAddr>().is_ok())
                .then(|| view! { " "{add_button(&address.ip)} });
            view! {
                <li>
                    <code>{address.ip.clone()}</code>{format!(", {when}, by ")}<bdi>{key.clone()}</bdi>"."
                    {add}
                </li>
            }
        })
        .collect_view();
    let more = all
        .refused
        .len()
        .saturating_sub(AllowlistPreview::MAX_LISTED);
    let more = (more > 0)
        .then(|| view! { <li>{format!("and {} more", words::grouped(more as u64))}</li> });
    view! {
        <div class="callout" data-tone="warning" id="policy-allowlist-effect">
            <Icon name="alert" />
            <div>
                <p><strong>{summary}</strong></p>
                <ul>{listed}{more}</ul>
                {partial}
                {unjudged}
            </div>
        </div>
    }
    .into_any()
}
