//! Focus and open menus during navigation.

use leptos::{ev, prelude::*, web_sys::MouseEvent};
use leptos_router::hooks::use_location;

use crate::{browser, urls::page_path};

/// After each navigation, closes the menus and, on another page, focuses the content. A dialog that opens or closes does not change the
/// page; the list then moves the focus.
pub(super) fn follow_navigation() {
    let location = use_location();
    Effect::new(move |before: Option<String>| {
        let page = page_path(&location.pathname.get()).to_owned();
        location.search.track();
        if let Some(before) = before {
            browser::hide_popovers();
            if before != page {
                browser::focus("main");
            }
        }
        page
    });
}

/// Handles the skip link: the router would navigate without moving the focus.
#[expect(clippy::needless_pass_by_value, reason = "an event handler")]
pub(super) fn skip_to_content(event: MouseEvent) {
    event.prevent_default();
    browser::focus("main");
}

/// Hides the visible tooltip on Escape, until the pointer or the focus moves.
pub(super) fn let_escape_hide_tooltips() {
    Effect::new(|_| {
        let escape = window_event_listener(ev::keydown, |event| {
            if event.key() == "Escape" {
                browser::show_tooltips(false);
            }
        });
        let pointer = window_event_listener(ev::pointermove, |_| browser::show_tooltips(true));
        let focus = window_event_listener(ev::focusin, |_| browser::show_tooltips(true));
        on_cleanup(move || {
            escape.remove();
            pointer.remove();
            focus.remove();
        });
    });
}
