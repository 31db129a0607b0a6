//! A long text with its table of contents, as the guide and the API documentation show it.

use std::sync::Arc;

use leptos::prelude::*;

/// The text beside its contents; below them in a narrow window.
#[component]
pub fn Document(
    /// Lists of links to headings, as HTML.
    contents: Arc<str>,
    /// The text as HTML.
    body: Arc<str>,
) -> impl IntoView {
    view! {
        <div class="document">
            <nav class="document-contents" aria-labelledby="contents-title">
                <h2 id="contents-title">"On this page"</h2>
                <div inner_html=contents></div>
            </nav>
            <article class="prose" inner_html=body></article>
        </div>
    }
    .into_any()
}
