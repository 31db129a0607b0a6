//! The server's half: there is no page.

/// See the browser's half.
pub fn show_modal(_id: &'static str) {}

/// See the browser's half.
pub fn focus(_id: &str) -> bool {
    false
}

/// See the browser's half.
pub fn focus_first(_ids: Vec<String>) {}

/// See the browser's half.
pub fn go(_url: &str) {}

/// See the browser's half.
#[must_use]
pub fn here() -> String {
    String::new()
}

/// See the browser's half.
#[must_use]
pub fn origin() -> String {
    String::new()
}

/// See the browser's half.
#[must_use]
pub fn value(_id: &str) -> String {
    String::new()
}

/// See the browser's half.
pub fn set_value(_id: &str, _value: &str) {}

/// See the browser's half.
#[must_use]
pub fn date_value(_id: &str) -> String {
    String::new()
}

/// See the browser's half.
pub fn clear_text(_id: &str) {}

/// See the browser's half.
#[expect(
    clippy::unused_async,
    reason = "the browser's half waits for the clipboard"
)]
pub async fn copy(_text: String, _element_id: &'static str) -> bool {
    false
}

/// See the browser's half.
#[must_use]
pub fn selection_contains(_text: &str) -> bool {
    false
}

/// See the browser's half.
pub fn hide_popovers() {}

/// See the browser's half.
pub fn show_tooltips(_shown: bool) {}

/// See the browser's half.
pub fn watch_presses() {}

/// See the browser's half.
pub fn after_press(_action: impl FnOnce() + 'static) {}

/// See the browser's half.
pub fn hold(_reason: &str, _is_held: bool) {}

/// See the browser's half.
pub fn select(_id: &str) {}
