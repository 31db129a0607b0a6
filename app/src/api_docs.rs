//! The API documentation. The server renders it from the OpenAPI document.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{components::PageTitle, document::Document};

/// The API documentation as HTML, a context of its page.
#[derive(Clone, Debug)]
pub struct ApiReference {
    /// Lists of links to headings.
    pub contents: Arc<str>,
    /// The text.
    pub body: Arc<str>,
}

/// The page.
#[component]
pub fn ApiDocsPage() -> impl IntoView {
    let reference = use_context::<ApiReference>();
    let reference =
        reference.map(|ApiReference { contents, body }| view! { <Document contents body /> });
    view! {
        <PageTitle text="API documentation – Latchkey" />
        <div class="page">
            <header class="page-header">
                <div><h1 tabindex="-1">"API documentation"</h1></div>
                <a class="button" href="/api/v1/openapi.json" rel="external">"openapi.json"</a>
            </header>
            {reference}
        </div>
    }
}
