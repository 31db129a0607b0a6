//! The browser's half.

use leptos::prelude::{document, request_animation_frame, window};
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Element, HtmlDialogElement, HtmlDocument, HtmlElement, HtmlInputElement, HtmlSelectElement,
    HtmlTextAreaElement,
};

// Functions of the page's inline script (`shell/start.js`).
#[wasm_bindgen(js_namespace = latchkey)]
extern "C" {
    /// Keeps the page from being left, or no longer: while an `answer` is awaited by links, Escape and Back, while a `secret` is shown by
    /// Back. The browser asks before it unloads the page in either case.
    pub fn hold(reason: &str, is_held: bool);
}

fn element<T: JsCast>(id: &str) -> Option<T> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Makes the dialog of that id modal and gives the focus to what is marked `data-focus` in it. It may have been shown without a
/// script before, and it may not stand in the document yet: then again with the next frames.
pub fn show_modal(id: &'static str) {
    fn attempt(id: &'static str, frames_left: u32) {
        match element::<HtmlDialogElement>(id) {
            Some(dialog) if dialog.is_connected() => {
                // `showModal` refuses a dialog that is open without being modal.
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

/// Gives the focus to the element of that id. Says whether there is one.
pub fn focus(id: &str) -> bool {
    element::<HtmlElement>(id).is_some_and(|element| element.focus().is_ok())
}

/// Gives the focus to the first of these elements that is there. With the next frame: what a modal dialog covers cannot have the focus
/// until the dialog is gone.
pub fn focus_first(ids: Vec<String>) {
    request_animation_frame(move || {
        let _ = ids.iter().any(|id| focus(id));
    });
}

/// Leaves for `url` with a full load.
pub fn go(url: &str) {
    let _ = window().location().assign(url);
}

/// The path and query that the address bar shows.
#[must_use]
pub fn here() -> String {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    path + &location.search().unwrap_or_default()
}

/// Scheme and host that the address bar shows.
#[must_use]
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// What stands in the control of that id.
#[must_use]
pub fn value(id: &str) -> String {
    element::<HtmlInputElement>(id)
        .map(|input| input.value())
        .or_else(|| element::<HtmlTextAreaElement>(id).map(|area| area.value()))
        .or_else(|| element::<HtmlSelectElement>(id).map(|select| select.value()))
        .unwrap_or_default()
}

/// Puts text into the control of that id.
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

/// Takes the text out of the element of that id.
pub fn clear_text(id: &str) {
    if let Some(element) = element::<Element>(id) {
        element.set_text_content(None);
    }
}

/// Copies `text`, which is also what the element of that id shows. Says whether it is in the clipboard; where it is not, it is selected.
///
/// There is no clipboard API on a plain-HTTP page of a local network, and in some web views. The older command then copies the selection, which stays within
/// the dialog that shows the text, so that nothing has to be put outside of its focus trap.
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

/// Selects the text of the element of that id.
pub fn select(id: &str) {
    if let (Some(element), Ok(Some(selection))) = (element::<Element>(id), window().get_selection())
    {
        let _ = selection.select_all_children(&element);
    }
}

/// Whether the selection holds `text`.
#[must_use]
pub fn selection_contains(text: &str) -> bool {
    match window().get_selection() {
        Ok(Some(selection)) => String::from(selection.to_string()).contains(text),
        _ => false,
    }
}

/// Closes the menus and, where it is one, the sidebar.
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

/// Shows tooltips, or hides them until the next movement: what Escape does.
pub fn show_tooltips(shown: bool) {
    if let Some(root) = document().document_element() {
        let _ = if shown {
            root.remove_attribute("data-tips")
        } else {
            root.set_attribute("data-tips", "off")
        };
    }
}
