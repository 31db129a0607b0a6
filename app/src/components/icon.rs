//! Icons, out of the sprite in the document (`icons.svg`).

use leptos::prelude::*;

/// An icon beside a word that says the same, so it is hidden from assistive technology.
#[component]
pub fn Icon(
    /// The symbol's identifier in the sprite.
    name: &'static str,
    /// 20 px instead of 16.
    #[prop(optional)]
    large: bool,
) -> impl IntoView {
    view! {
        <svg class=if large { "icon icon-20" } else { "icon" } aria-hidden="true">
            <use href=format!("#{name}")></use>
        </svg>
    }
}
