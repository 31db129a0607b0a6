//! The entry point of the browser's bundle: hydrates the page that the server sent, if it is unchanged.

// The type of a page is as deep as its elements, as in `app`.
#![recursion_limit = "256"]

use std::panic::PanicHookInfo;

use wasm_bindgen::prelude::wasm_bindgen;

// Functions of the page's inline script (`app/src/shell/start.js`).
#[wasm_bindgen(js_namespace = latchkey)]
extern "C" {
    /// Whether the page is unchanged since the server sent it, so that it can be hydrated.
    #[wasm_bindgen(js_name = mayHydrate)]
    fn may_hydrate() -> bool;
    /// Reports the failure and switches the page to its behaviour without a script.
    fn failed(file: &str, line: u32);
}

fn main() {
    std::panic::set_hook(Box::new(handle_panic));
    if may_hydrate() {
        leptos::mount::hydrate_body(app::pages::App);
    }
}

/// Handles a panic, which ends the bundle. Reports only its location: the message may contain data of the page.
fn handle_panic(panic: &PanicHookInfo<'_>) {
    #[cfg(debug_assertions)]
    console_error_panic_hook::hook(panic);
    let (file, line) = (panic.location()).map_or(("", 0), |place| (place.file(), place.line()));
    failed(file, line);
}
