//! Keeping a page that would lose something if it was left.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use leptos::prelude::{on_cleanup, window};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, Event, KeyboardEvent};

/// What leaves a page or closes a dialog: a link, Escape, Back, and everything that unloads the document.
const WAYS_OUT: [&str; 4] = ["click", "keydown", "popstate", "beforeunload"];

type IsHeld = Rc<dyn Fn(&str) -> bool>;

thread_local! {
    static HOLDERS: RefCell<Vec<(u32, IsHeld)>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u32> = const { Cell::new(0) };
    /// Whether Back is being undone.
    static IS_RETURNING: Cell<bool> = const { Cell::new(false) };
}

/// Listens to the ways out for [`hold_page`]. To be called before the router is made: browsers call the window's listeners to `popstate` in
/// the order in which they came, capturing or not.
pub fn watch_ways_out() {
    let listener = Closure::<dyn Fn(Event)>::new(|event: Event| pass(&event));
    for kind in WAYS_OUT {
        let callback = listener.as_ref().unchecked_ref();
        let _ = window().add_event_listener_with_callback_and_bool(kind, callback, true);
    }
    listener.forget();
}

/// Keeps the page while `is_held` says so of the kind of event that would leave it: `beforeunload` makes the browser ask, Back is undone,
/// links and Escape do nothing. Until the current reactive owner goes.
pub fn hold_page(is_held: impl Fn(&str) -> bool + 'static) {
    let holder = NEXT.replace(NEXT.get() + 1);
    HOLDERS.with_borrow_mut(|holders| holders.push((holder, Rc::new(is_held))));
    on_cleanup(move || {
        HOLDERS.with_borrow_mut(|holders| holders.retain(|(other, _)| *other != holder))
    });
}

fn pass(event: &Event) {
    let kind = event.type_();
    if kind == "popstate" && IS_RETURNING.take() {
        event.stop_immediate_propagation();
        return;
    }
    if !is_way_out(event) {
        return;
    }
    // What a holder does may add or remove another.
    let holders = HOLDERS.with_borrow(Clone::clone);
    if !holders.iter().any(|(_, is_held)| is_held(&kind)) {
        return;
    }
    event.prevent_default();
    if kind == "popstate" {
        event.stop_immediate_propagation();
        let forward = window().history().and_then(|history| history.forward());
        IS_RETURNING.set(forward.is_ok());
    } else {
        event.stop_propagation();
    }
}

fn is_way_out(event: &Event) -> bool {
    match event.type_().as_str() {
        "click" => (event.target())
            .and_then(|target| target.dyn_into::<Element>().ok())
            .is_some_and(|element| matches!(element.closest("a[href]"), Ok(Some(_)))),
        "keydown" => {
            (event.dyn_ref::<KeyboardEvent>()).is_some_and(|event| event.key() == "Escape")
        }
        _ => true,
    }
}
