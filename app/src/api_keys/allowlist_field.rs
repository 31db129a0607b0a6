//! The field IP Allowlist, with line numbers, the client's address, and a note whether the list admits that address.

use domain::{client_address::ClientAddress, key::allowlist::Allowlist, network::parse_network};
use leptos::prelude::*;

use super::{
    form_state::{ALLOWLIST, FormState},
    key_fields::FieldLabel,
};
use crate::{
    browser,
    components::{
        Callout, FieldErrors, Tone,
        field::{described_by, invalid},
        text_area_content,
    },
};

/// A line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    is_invalid: bool,
}

/// The field.
#[component]
pub fn AllowlistField(
    /// The form.
    state: FormState,
    /// The client's address as the server sees it.
    client: ClientAddress,
    /// Whether an empty field shows an example. Not for a stored key, which the example would seem to restrict.
    #[prop(optional)]
    has_example: bool,
    /// Shown below the notes about the list.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let errors = state.errors(ALLOWLIST);
    let text = Memo::new(move |_| state.form.with(|form| form.ip_allowlist.clone()));
    let lines = Memo::new(move |_| {
        let shows_errors = !errors.with(Vec::is_empty);
        text.with(|text| numbered(text, shows_errors))
    });
    let numbers = move || {
        lines
            .get()
            .into_iter()
            .map(|line| view! { <li data-invalid=line.is_invalid.then_some("")>{line.number}</li> })
            .collect_view()
    };
    // Browsers with `field-sizing` ignore this.
    let rows = move || lines.with(Vec::len).max(5).to_string();
    let warnings = move || {
        let list = Allowlist::parse_lines(&valid_lines(&text.read())).unwrap_or_default();
        list.warnings()
            .into_iter()
            .map(|warning| view! { <Callout tone=Tone::Warning><p><strong>{warning}</strong></p></Callout> })
            .collect_view()
    };
    view! {
        <div class="field">
            <FieldLabel
                field=ALLOWLIST
                optional=true
                hint="One IP address or CIDR range per line, IPv4 or IPv6. Leave empty to allow any address."
            />
            <div class="field-control">
                <div class="lines">
                    <ol class="lines-numbers" aria-hidden="true">{numbers}</ol>
                    <textarea
                        class="input"
                        id=ALLOWLIST.id
                        name=ALLOWLIST.name
                        rows=rows
                        placeholder=has_example.then_some("203.0.113.24\n2001:db8:40::/48")
                        spellcheck="false"
                        autocapitalize="none"
                        aria-invalid=invalid(errors)
                        aria-describedby=described_by(ALLOWLIST.id, errors, "allowlist-hint")
                        on:input=move |_| state.handle_input(ALLOWLIST)
                        on:blur=move |_| state.handle_blur(ALLOWLIST)
                        inner_html=text_area_content(&state.initial().ip_allowlist)
                    ></textarea>
                </div>
                <FieldErrors field=ALLOWLIST.id errors />
                {warnings}
                <ClientAddressNote state text client />
                {children.map(|children| children())}
            </div>
        </div>
    }
}

/// The client's address, whether the list would refuse it, and a button that adds it.
#[component]
fn ClientAddressNote(state: FormState, text: Memo<String>, client: ClientAddress) -> impl IntoView {
    let Some(address) = client.ip() else {
        return view! {
            <p class="hint">
                "Latchkey can’t tell which address you are connecting from. A list with any entry would refuse you."
            </p>
        }
        .into_any();
    };
    let list =
        Memo::new(move |_| Allowlist::parse_lines(&valid_lines(&text.read())).unwrap_or_default());
    let is_refused = move || list.with(|list| !list.admits(client));
    let has_it = move || list.with(|list| !list.is_empty() && list.admits(client));
    let add = move |_| {
        let text = browser::value(ALLOWLIST.id);
        let separator = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        browser::set_value(ALLOWLIST.id, &format!("{text}{separator}{address}\n"));
        state.handle_input(ALLOWLIST);
        browser::focus(ALLOWLIST.id);
    };
    view! {
        <p class="hint" role="status">
            "You are connecting from "<code>{address.to_string()}</code>
            {move || if is_refused() { ", which this list would refuse. " } else { ". " }}
            {move || (!has_it()).then(|| view! {
                <button class="link needs-script" type="button" on:click=add>"Add it"</button>
            })}
        </p>
    }
    .into_any()
}

/// The lines of `text`, numbered from 1; invalid ones are marked if errors are shown.
fn numbered(text: &str, shows_errors: bool) -> Vec<Line> {
    text.split('\n')
        .enumerate()
        .map(|(index, line)| Line {
            number: index + 1,
            is_invalid: shows_errors && !is_valid(line),
        })
        .collect()
}

/// The valid lines. Warnings about the list appear before every line is valid.
fn valid_lines(text: &str) -> String {
    text.split('\n')
        .filter(|line| is_valid(line))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_valid(line: &str) -> bool {
    let entry = line.trim_matches([' ', '\t', '\r']);
    entry.is_empty() || parse_network(entry).is_some()
}
