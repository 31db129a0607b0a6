//! Icons from the SVG sprite in the document (`icons.svg`).

use leptos::prelude::*;

/// An icon. Hidden from assistive technology, because a label is next to it.
#[component]
pub fn Icon(
    /// The id of the symbol in the sprite.
    name: &'static str,
    /// 20 px wide instead of 16.
    #[prop(optional)]
    large: bool,
) -> impl IntoView {
    view! {
        <svg class=if large { "icon icon-20" } else { "icon" } aria-hidden="true">
            <use href=format!("#{name}")></use>
        </svg>
    }
}
