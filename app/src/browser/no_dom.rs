//! The same functions for the server, without a document. Each is documented in `dom.rs`.

use leptos::web_sys::Element;

use crate::done::Done;

pub fn show_modal(_id: &'static str) {}

pub fn focus(_id: &str) -> bool {
    false
}

pub fn focus_first(_ids: Vec<String>) {}

pub fn go(_url: &str) {}

pub fn back() {}

pub fn return_to(_url: &str) {}

pub fn confirm_at(_url: &str, _change: Done) {}

pub fn leave() {}

#[must_use]
pub fn here() -> String {
    String::new()
}

#[must_use]
pub fn origin() -> String {
    String::new()
}

#[must_use]
pub fn value(_id: &str) -> String {
    String::new()
}

pub fn set_value(_id: &str, _value: &str) {}

#[must_use]
pub fn date_value(_id: &str) -> String {
    String::new()
}

pub fn clear_text(_id: &str) {}

#[expect(
    clippy::unused_async,
    reason = "the browser's half waits for the clipboard"
)]
pub async fn copy(_text: String, _element_id: &'static str) -> bool {
    false
}

#[must_use]
pub fn selection_contains(_text: &str) -> bool {
    false
}

#[must_use]
pub fn checks(_name: &str) -> Vec<(String, bool)> {
    Vec::new()
}

#[must_use]
pub fn is_checked(_id: &str) -> bool {
    false
}

pub fn set_checks(_name: &str, _checked: &[String]) {}

pub fn set_all_checks(_name: &str, _checked: bool) {}

pub fn set_check(_id: &str, _checked: bool, _indeterminate: bool) {}

pub fn close_details(_id: &str) {}

pub fn hide_popovers() {}

pub fn show_tooltips(_shown: bool) {}

pub fn track_pointer() {}

pub fn after_pointer_release(_action: impl FnOnce() + 'static) {}

pub fn hold(_reason: &str, _is_held: bool) {}

pub fn select(_id: &str) {}

#[must_use]
pub fn is_empty(_element: &Element) -> bool {
    false
}

pub fn replace_rows(_rows: &Element, _html: &str) {}

pub fn set_class(_within: &Element, _id: &str, _class: &str) {}

pub fn release() {}
