//! The title of a page. `leptos_meta` writes a title into the document without escaping it.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::current_tenant::use_acting_tenant;

/// The title of a page, as browsers show it, e.g. `ERP nightly sync – Latchkey`; for a super user with the tenant before it, e.g.
/// `Acme · ERP nightly sync – Latchkey`. It may contain what a user typed.
#[component]
pub fn PageTitle(
    /// The whole title.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let tenant = use_acting_tenant();
    move || {
        let text = match tenant.get() {
            Some(tenant) => format!("{} · {text}", tenant.name),
            None => text.clone(),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the text is escaped for the document; a browser sets it as text"
        )]
        let title = view! { <Title text=escaped(text) /> };
        title
    }
}

#[cfg(feature = "ssr")]
fn escaped(text: String) -> String {
    if !text.contains(['&', '<', '>']) {
        return text;
    }
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(not(feature = "ssr"))]
fn escaped(text: String) -> String {
    text
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::escaped;

    #[test]
    fn a_title_cannot_end_its_element() {
        let title = "</title><script>alert(1)</script> & Co";
        assert_eq!(
            escaped(title.to_owned()),
            "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co"
        );
    }
}
