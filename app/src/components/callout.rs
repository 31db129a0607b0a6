//! A message box.

use leptos::prelude::*;

use super::Icon;

/// The severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Information.
    Neutral,
    /// Something possibly unintended.
    Warning,
    /// A failure.
    Danger,
}

/// A message with an icon. The children are one element.
#[component]
pub fn Callout(
    /// The severity.
    tone: Tone,
    /// The id, for `aria-describedby`.
    #[prop(optional)]
    id: Option<&'static str>,
    /// The message.
    children: Children,
) -> impl IntoView {
    let (tone, icon) = match tone {
        Tone::Neutral => (None, "info"),
        Tone::Warning => (Some("warning"), "alert"),
        Tone::Danger => (Some("danger"), "alert"),
    };
    view! {
        <div class="callout" data-tone=tone id=id>
            <Icon name=icon />
            {children()}
        </div>
    }
}
