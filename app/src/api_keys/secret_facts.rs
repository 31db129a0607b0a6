//! A new secret in the dialog and on the page without a script.

use domain::propagation::Propagation;
use leptos::prelude::*;

use crate::{
    components::{Callout, Tone},
    words,
};

/// The id of the element that contains the secret.
pub const SECRET: &str = "secret-value";
/// The id of the element that contains the curl command.
pub const COMMAND: &str = "secret-command";

/// The warning, the secret, a curl command that tries it, and how many replicas refuse the old secret.
#[component]
pub fn SecretFacts(
    /// The secret.
    secret: String,
    /// The number of replicas that refuse the old secret, if there was one.
    propagation: Option<Propagation>,
    /// Scheme and host for the command. Without it, the command is not shown.
    origin: Option<String>,
    /// The element beside the secret, e.g. a button that copies it.
    #[prop(optional)]
    beside_secret: Option<AnyView>,
    /// The element beside the command.
    #[prop(optional)]
    beside_command: Option<AnyView>,
) -> impl IntoView {
    let command = origin.map(|origin| {
        let command = words::curl_command(&origin, &secret);
        view! {
            <div class="field">
                <span class="label">"Try it"</span>
                <div class="snippet"><pre><code id=COMMAND>{command}</code></pre>{beside_command}</div>
            </div>
        }
    });
    let propagation = propagation.map(|propagation| {
        view! { <p class="muted">{propagation.sentence("Old secret refused")}</p> }
    });
    view! {
        <Callout tone=Tone::Warning>
            <p>
                <strong>"This secret will not be shown again."</strong>
                " Copy it now and keep it in a secret manager. If you lose it, rotate the key."
            </p>
        </Callout>
        <div class="field">
            <span class="label" id="secret-label">"Secret"</span>
            <div class="secret">
                <code id=SECRET tabindex="0" role="textbox" aria-readonly="true" aria-labelledby="secret-label">
                    {secret}
                </code>
                {beside_secret}
            </div>
        </div>
        {command}
        {propagation}
    }
    .into_any()
}
