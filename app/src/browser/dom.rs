//! Access to the document, compiled for the browser.

use leptos::prelude::{document, request_animation_frame, window};
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Element, HtmlDialogElement, HtmlDocument, HtmlElement, HtmlInputElement, HtmlSelectElement,
    HtmlTextAreaElement,
};

use crate::done::{self, Done};

// Functions of the page's inline script (`shell/start.js`).
#[wasm_bindgen(js_namespace = latchkey)]
extern "C" {
    /// Blocks leaving the page while `is_held`, for one of three reasons. `response` (a change is in flight) blocks links, Escape and Back;
    /// `secret` (an uncopied secret is shown) blocks Back; `text` (typed text is not saved) blocks links and Back, and dispatches the event
    /// `leaveblocked`. In all cases the browser asks before it unloads the page.
    pub fn hold(reason: &str, is_held: bool);

    /// Repeats the way out that `text` blocked last.
    pub fn leave();
}

/// Allows leaving the page.
pub fn release() {
    for reason in ["response", "secret", "text"] {
        hold(reason, false);
    }
}

fn element<T: JsCast>(id: &str) -> Option<T> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Opens the dialog with this id as a modal dialog and focuses its element marked `data-focus`. The server may have sent the dialog
/// open and not modal. Retries with the next animation frames while the element is not in the document.
pub fn show_modal(id: &'static str) {
    fn attempt(id: &'static str, frames_left: u32) {
        match element::<HtmlDialogElement>(id) {
            Some(dialog) if dialog.is_connected() => {
                // `showModal` fails for a dialog that is open and not modal.
                dialog.set_open(false);
                let _ = dialog.show_modal();
                let marked = dialog.query_selector("[data-focus]").ok().flatten();
                if let Some(marked) = marked.and_then(|node| node.dyn_into::<HtmlElement>().ok()) {
                    let _ = marked.focus();
                }
            }
            _ if frames_left > 0 => request_animation_frame(move || attempt(id, frames_left - 1)),
            _ => {}
        }
    }
    attempt(id, 120);
}

/// Focuses the element with this id. Returns whether it exists.
pub fn focus(id: &str) -> bool {
    element::<HtmlElement>(id).is_some_and(|element| element.focus().is_ok())
}

/// Focuses the first of these elements that exists, with the next animation frame: an element behind a modal dialog cannot be focused
/// before the dialog is removed.
pub fn focus_first(ids: Vec<String>) {
    request_animation_frame(move || {
        let _ = ids.iter().any(|id| focus(id));
    });
}

/// Navigates to `url` with a full page load.
pub fn go(url: &str) {
    let _ = window().location().assign(url);
}

/// Returns to the page at `url` from a page that it opened: goes back if the browser came from there, otherwise replaces this page.
pub fn return_to(url: &str) {
    let here = origin();
    let path = |url: &str| url.split(['?', '#']).next().map(str::to_owned);
    let came_from = document().referrer();
    let came_from = came_from.strip_prefix(&here).and_then(path);
    if came_from == path(url) {
        back();
    } else {
        let _ = window().location().replace(url);
    }
}

/// Replaces this page by the one at `url`, which confirms `change`.
pub fn confirm_at(url: &str, change: Done) {
    if let Ok(document) = document().dyn_into::<HtmlDocument>() {
        let change = change.to_cookie();
        let attributes = format!("Path=/; SameSite=Lax; Max-Age={}", done::MAX_AGE);
        let _ = document.set_cookie(&format!("{}={change}; {attributes}", done::COOKIE));
        // The server reads one of the two names; a page over HTTP cannot set this one.
        let secure = done::SECURE_COOKIE;
        let _ = document.set_cookie(&format!("{secure}={change}; Secure; {attributes}"));
    }
    let _ = window().location().replace(url);
}

/// Goes back by one entry of the history.
pub fn back() {
    if let Ok(history) = window().history() {
        let _ = history.back();
    }
}

/// Path and query of the current URL.
#[must_use]
pub fn here() -> String {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    path + &location.search().unwrap_or_default()
}

/// Scheme and host of the current URL.
#[must_use]
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// The value of the form control with this id; empty if there is none.
#[must_use]
pub fn value(id: &str) -> String {
    element::<HtmlInputElement>(id)
        .map(|input| input.value())
        .or_else(|| element::<HtmlTextAreaElement>(id).map(|area| area.value()))
        .or_else(|| element::<HtmlSelectElement>(id).map(|select| select.value()))
        .unwrap_or_default()
}

/// Sets the value of the form control with this id.
pub fn set_value(id: &str, value: &str) {
    if let Some(input) = element::<HtmlInputElement>(id) {
        input.set_value(value);
    } else if let Some(area) = element::<HtmlTextAreaElement>(id) {
        area.set_value(value);
    } else if let Some(select) = element::<HtmlSelectElement>(id) {
        select.set_value(value);
    }
}

/// The value of the date input with this id. The browser reports an incompletely typed date as an empty value, which would mean "never":
/// it is returned as a text that is no date, so that validation rejects it.
#[must_use]
pub fn date_value(id: &str) -> String {
    match element::<HtmlInputElement>(id) {
        Some(input) if input.validity().bad_input() => "incomplete".to_owned(),
        Some(input) => input.value(),
        None => String::new(),
    }
}

/// Removes the text of the element with this id.
pub fn clear_text(id: &str) {
    if let Some(element) = element::<Element>(id) {
        element.set_text_content(None);
    }
}

/// Copies `text` to the clipboard. Returns whether it succeeded; otherwise the text of the element with this id is selected.
///
/// Plain-HTTP pages and some web views have no clipboard API. There, the older `copy` command copies the selection, which stays inside
/// the dialog, so that its focus trap is not left.
pub async fn copy(text: String, element_id: &'static str) -> bool {
    let clipboard = window().navigator().clipboard();
    if !clipboard.is_undefined() && JsFuture::from(clipboard.write_text(&text)).await.is_ok() {
        return true;
    }
    select(element_id);
    document()
        .dyn_into::<HtmlDocument>()
        .is_ok_and(|document| document.exec_command("copy").unwrap_or(false))
}

/// Selects the text of the element with this id.
pub fn select(id: &str) {
    if let (Some(element), Ok(Some(selection))) = (element::<Element>(id), window().get_selection())
    {
        let _ = selection.select_all_children(&element);
    }
}

/// Whether the selected text contains `text`.
#[must_use]
pub fn selection_contains(text: &str) -> bool {
    match window().get_selection() {
        Ok(Some(selection)) => String::from(selection.to_string()).contains(text),
        _ => false,
    }
}

/// Whether an element contains no element. It may contain the comments that mark places of views.
#[must_use]
pub fn is_empty(element: &Element) -> bool {
    element.first_element_child().is_none()
}

/// Replaces the content of `rows` by `html`, which the server rendered. A focus in it stays on the element with the same id, or moves to the
/// page's title if the new content has none.
pub fn replace_rows(rows: &Element, html: &str) {
    let focused = document()
        .active_element()
        .filter(|focused| rows.contains(Some(focused)));
    rows.set_inner_html(html);
    if let Some(focused) = focused
        && !focus(&focused.id())
    {
        focus("page-title");
    }
}

/// Sets the class of the element with this id in `within`.
pub fn set_class(within: &Element, id: &str, class: &str) {
    if let Ok(Some(element)) = within.query_selector(&format!("[id=\"{id}\"]")) {
        element.set_class_name(class);
    }
}

/// The check boxes with this name, in the order of the page.
fn named_checks(name: &str) -> Vec<HtmlInputElement> {
    let Ok(found) = document().query_selector_all(&format!("input[type=checkbox][name={name}]"))
    else {
        return Vec::new();
    };
    (0..found.length())
        .filter_map(|index| found.item(index)?.dyn_into().ok())
        .collect()
}

/// Value and state of each check box with this name.
#[must_use]
pub fn checks(name: &str) -> Vec<(String, bool)> {
    let boxes = named_checks(name).into_iter();
    boxes.map(|each| (each.value(), each.checked())).collect()
}

/// Whether the check box with this id is checked.
#[must_use]
pub fn is_checked(id: &str) -> bool {
    element::<HtmlInputElement>(id).is_some_and(|each| each.checked())
}

/// Checks the check boxes with this name whose value is in `checked`, and unchecks the others.
pub fn set_checks(name: &str, checked: &[String]) {
    for each in named_checks(name) {
        each.set_checked(checked.contains(&each.value()));
    }
}

/// Checks or unchecks every check box with this name.
pub fn set_all_checks(name: &str, checked: bool) {
    for each in named_checks(name) {
        each.set_checked(checked);
    }
}

/// Sets the state of the check box with this id.
pub fn set_check(id: &str, checked: bool, indeterminate: bool) {
    if let Some(each) = element::<HtmlInputElement>(id) {
        each.set_checked(checked);
        each.set_indeterminate(indeterminate);
    }
}

/// Closes the `<details>` with this id and focuses its summary.
pub fn close_details(id: &str) {
    if let Some(details) = element::<HtmlElement>(id) {
        let _ = details.remove_attribute("open");
        let summary = details.query_selector("summary").ok().flatten();
        if let Some(summary) = summary.and_then(|node| node.dyn_into::<HtmlElement>().ok()) {
            let _ = summary.focus();
        }
    }
}

/// Closes the open popovers: menus and, on narrow screens, the sidebar.
pub fn hide_popovers() {
    let Ok(open) = document().query_selector_all(":popover-open") else {
        return;
    };
    for index in 0..open.length() {
        let element = open
            .item(index)
            .and_then(|node| node.dyn_into::<HtmlElement>().ok());
        if let Some(element) = element {
            let _ = element.hide_popover();
        }
    }
}

/// Enables tooltips, or disables them until the pointer or the focus moves.
pub fn show_tooltips(shown: bool) {
    if let Some(root) = document().document_element() {
        let _ = if shown {
            root.remove_attribute("data-tips")
        } else {
            root.set_attribute("data-tips", "off")
        };
    }
}
