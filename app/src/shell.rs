//! The HTML document around every page.

mod shape;

use std::sync::LazyLock;

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use crate::{
    components::Icon,
    pages::{App, PAGES},
    ssr::{self, Bundle, RequestContext},
    theme::Theme,
    urls,
};
pub use shape::with_shape;

/// The icons of `components/icon.rs`. They are in the document, so that the browser's bundle does not contain them.
const ICONS: &str = include_str!("components/icons.svg");

/// The document with the requested page. Sets its `Content-Security-Policy`.
pub fn shell() -> impl IntoView {
    let nonce = use_nonce();
    if let Some(nonce) = &nonce {
        ssr::set_content_security_policy(nonce);
    }
    // There is no request while leptos lists the routes at start.
    let bundle = ssr::request()
        .map(|request| request.bundle)
        .unwrap_or_default();
    // No preload: the page works without the script, and styles are needed first.
    let scripts = (bundle.script.clone().zip(bundle.wasm.clone()))
        .filter(|_| page_has_script())
        .map(|(script, wasm)| {
            let start = start_script(&script, &wasm);
            view! { <script type="module" nonce=nonce.clone() inner_html=start></script> }
        });
    let head = view! {
        <script nonce=nonce inner_html=WAITING.as_str()></script>
        {scripts}
        <MetaTags />
    };
    let theme = ssr::request()
        .map(|request| request.theme)
        .unwrap_or_default();
    document(&bundle, theme, head, view! { <App /> })
}

/// A document in `theme` with the icons and the styles of `bundle`.
pub(crate) fn document<Head: IntoView, Body: IntoView>(
    bundle: &Bundle,
    theme: Theme,
    head: Head,
    body: Body,
) -> impl IntoView + use<Head, Body> {
    let styles = bundle
        .styles
        .iter()
        .map(|href| view! { <link rel="stylesheet" href=href.clone() /> })
        .collect_view();
    let icon = bundle
        .icon
        .clone()
        .map(|href| view! { <link rel="icon" href=href type="image/svg+xml" /> });
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.override_word()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content=theme.color_scheme() />
                {icon}
                {styles}
                {head}
            </head>
            <body>
                {body}
                <svg class="sprite" aria-hidden="true" inner_html=ICONS></svg>
            </body>
        </html>
    }
}

/// A document without scripts: its content stands in the middle of the page, below the name of the product.
pub(crate) fn plain_document(
    request: &RequestContext,
    title: &'static str,
    content: impl FnOnce() -> AnyView + 'static,
) -> String {
    let owner = Owner::new();
    owner.with(|| {
        let head = view! { <title>{format!("{title} – Latchkey")}</title> };
        let body = view! {
            <main class="sign-in" id="main" tabindex="-1">
                <a class="brand" href=urls::API_KEYS><Icon name="key" large=true />"Latchkey"</a>
                {content()}
            </main>
        };
        document(&request.bundle, request.theme, head, body).to_html()
    })
}

/// Whether the browser hydrates the page that is being rendered.
fn page_has_script() -> bool {
    let path = ssr::page_path().unwrap_or_default();
    let page = PAGES.iter().find(|page| page.is_shown_at(&path));
    page.is_some_and(|page| page.has_script)
}

/// `start.js` as the page contains it.
static START: LazyLock<String> = LazyLock::new(|| without_comments(include_str!("shell/start.js")));

/// `waiting.js` as the page contains it.
static WAITING: LazyLock<String> =
    LazyLock::new(|| without_comments(include_str!("shell/waiting.js")));

/// A script without comment lines and indentation.
fn without_comments(script: &str) -> String {
    let lines = script.lines().map(str::trim_start);
    let sent: Vec<_> = lines.filter(|line| !line.starts_with("//")).collect();
    sent.join("\n")
}

/// The script that starts the WebAssembly. The file names are those of the build: letters, digits and `-_.`.
fn start_script(script: &str, wasm: &str) -> String {
    START.replace("%script%", script).replace("%wasm%", wasm)
}
