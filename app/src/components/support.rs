//! The link behind "Contact support".

use leptos::prelude::*;

/// The words that become a link in [`with_support_link`].
const CONTACT_SUPPORT: &str = "Contact support";

/// The URL of the installation's support as a context; `None` if the operator set none.
#[derive(Clone, Copy)]
pub struct SupportUrl(pub Signal<Option<String>>);

/// `text`, in which "Contact support" is a link if the operator set a URL for it.
pub fn with_support_link(text: String) -> AnyView {
    let url = use_context::<SupportUrl>().and_then(|url| url.0.get_untracked());
    match (url, text.split_once(CONTACT_SUPPORT)) {
        (Some(url), Some((before, after))) => {
            let (before, after) = (before.to_owned(), after.to_owned());
            view! { {before}<a class="link" rel="external noreferrer" href=url>"Contact support"</a>{after} }
                .into_any()
        }
        _ => text.into_any(),
    }
}
