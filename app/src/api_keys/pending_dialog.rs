//! A dialog whose data is still loading: its title, the key's name, and placeholders.

use leptos::prelude::*;

use super::{
    dialog_close::{CancelLink, CloseLink, DialogClose},
    dialog_target::{DialogKind, OpenTarget},
    responses::KeyList,
};
use crate::{
    components::{Dialog, waiting::PendingFields},
    words,
};

/// The dialog.
#[component]
pub fn PendingDialog(
    /// The dialog in the URL.
    target: OpenTarget,
    /// The list under the dialog.
    list: Memo<Option<KeyList>>,
    /// Closes the dialog.
    close: DialogClose,
) -> impl IntoView {
    let (title, name, wide) = match target {
        OpenTarget::Key(target) => {
            let title = match target.kind {
                DialogKind::Edit => "Edit API key",
                DialogKind::Rotate => "Rotate API key",
                DialogKind::Revoke => "Revoke API key",
            };
            let name = list.with_untracked(|list| {
                let mut keys = list.as_ref()?.keys.iter();
                keys.find(|key| key.id.to_string() == target.id)
                    .map(|key| key.name.clone())
            });
            (title.to_owned(), name, target.kind == DialogKind::Edit)
        }
        OpenTarget::Keys(ids) => {
            let keys = words::count(ids.len() as u64, "API key", "API keys");
            (format!("Revoke {keys}"), None, false)
        }
    };
    view! {
        <Dialog id="pending-dialog" labelled_by="pending-title pending-name" wide on_cancel=close.run>
            <div class="dialog-header">
                <div>
                    <h2 id="pending-title">{title}</h2>
                    <p class="muted" id="pending-name" dir="auto">{name}</p>
                </div>
                <CloseLink close />
            </div>
            <div class="dialog-body"><PendingFields /></div>
            <div class="dialog-actions"><CancelLink close has_focus=true /></div>
        </Dialog>
    }
    .into_any()
}
