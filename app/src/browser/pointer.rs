//! Delays actions until a pointer button is released.

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
    static PENDING: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
}

/// Tracks the pointer's buttons until the current reactive owner is disposed.
pub fn track_pointer() {
    let down = window_event_listener(ev::pointerdown, |_| IS_DOWN.set(true));
    let up = window_event_listener(ev::pointerup, |_| release());
    let cancel = window_event_listener(ev::pointercancel, |_| release());
    on_cleanup(move || {
        down.remove();
        up.remove();
        cancel.remove();
    });
}

/// Runs `action` now or, while a pointer button is pressed, after the click.
pub fn after_pointer_release(action: impl FnOnce() + 'static) {
    if IS_DOWN.get() {
        PENDING.with_borrow_mut(|pending| pending.push(Box::new(action)));
    } else {
        action();
    }
}

fn release() {
    IS_DOWN.set(false);
    // The click event is dispatched after this one, in the same task.
    set_timeout(
        || {
            for action in PENDING.take() {
                action();
            }
        },
        Duration::ZERO,
    );
}
