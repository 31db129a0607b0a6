//! The browser's entry: hydrates the page that the server sent.

// As in `app`: a page's type is as deep as its elements.
#![recursion_limit = "256"]

fn main() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
}
