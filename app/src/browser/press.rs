//! Whether a button of the pointer is down.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use leptos::{
    ev,
    prelude::{on_cleanup, set_timeout, window_event_listener},
};

thread_local! {
    static IS_DOWN: Cell<bool> = const { Cell::new(false) };
    static WAITING: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
}

/// Follows the pointer until the current reactive owner goes.
pub fn watch_presses() {
    let down = window_event_listener(ev::pointerdown, |_| IS_DOWN.set(true));
    let up = window_event_listener(ev::pointerup, |_| release());
    let cancel = window_event_listener(ev::pointercancel, |_| release());
    on_cleanup(move || {
        down.remove();
        up.remove();
        cancel.remove();
    });
}

/// Does `action` now, or, where the pointer is down, once the click that it belongs to is over.
pub fn after_press(action: impl FnOnce() + 'static) {
    if IS_DOWN.get() {
        WAITING.with_borrow_mut(|waiting| waiting.push(Box::new(action)));
    } else {
        action();
    }
}

fn release() {
    IS_DOWN.set(false);
    // The click follows this event within the same task.
    set_timeout(
        || {
            for action in WAITING.take() {
                action();
            }
        },
        Duration::ZERO,
    );
}
