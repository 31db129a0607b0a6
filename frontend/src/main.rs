//! The browser's entry: hydrates the page that the server sent, or leaves it alone.

// As in `app`: a page's type is as deep as its elements.
#![recursion_limit = "256"]

use std::panic::PanicHookInfo;

use wasm_bindgen::prelude::wasm_bindgen;

// Functions of the page's inline script (`app/src/shell/start.js`).
#[wasm_bindgen(js_namespace = latchkey)]
extern "C" {
    /// Whether the page is as the server sent it, so that it can be hydrated.
    #[wasm_bindgen(js_name = mayHydrate)]
    fn may_hydrate() -> bool;
    /// Makes the page one without a script, for good.
    fn failed(file: &str, line: u32);
}

fn main() {
    std::panic::set_hook(Box::new(leave_the_page));
    if may_hydrate() {
        leptos::mount::hydrate_body(app::pages::App);
    }
}

/// A panic ends the bundle. Its message may hold what a page shows, so that only its place is told.
fn leave_the_page(panic: &PanicHookInfo<'_>) {
    #[cfg(debug_assertions)]
    console_error_panic_hook::hook(panic);
    let (file, line) = (panic.location()).map_or(("", 0), |place| (place.file(), place.line()));
    failed(file, line);
}
