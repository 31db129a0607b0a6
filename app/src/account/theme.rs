//! The section that chooses the theme of the pages.

use leptos::prelude::*;

use crate::{components::Icon, current_tenant::use_tenant, theme::Theme, urls};

/// The form.
pub(super) fn theme_section(current: Theme) -> AnyView {
    let tenant = use_tenant();
    let choices: Vec<_> = Theme::ALL
        .into_iter()
        .map(|theme| {
            let (icon, label) = match theme {
                Theme::System => ("monitor", "System"),
                Theme::Light => ("sun", "Light"),
                Theme::Dark => ("moon", "Dark"),
            };
            view! {
                <label>
                    <input class="radio" type="radio" name="theme" value=theme.as_str() checked=theme == current />
                    <Icon name=icon />
                    {label}
                </label>
            }
        })
        .collect();
    view! {
        <form
            class="field"
            id="theme-section"
            method="post"
            action=move || tenant.get().url(urls::ACCOUNT_THEME)
        >
            <div class="field-about">
                <h2 class="label" id="theme-title">"Theme"</h2>
                <p class="hint">"Kept in this browser."</p>
            </div>
            <div class="field-control stack">
                <div class="radios" role="radiogroup" aria-labelledby="theme-title">{choices}</div>
                <button class="button button-s" data-wait="Saving…"><span>"Save theme"</span></button>
            </div>
        </form>
    }
    .into_any()
}
