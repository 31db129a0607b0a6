//! The initial text of a `<textarea>`.

/// The inner HTML of a text area with this text. A text passed as a child fails in two cases: leptos renders an empty text as a comment,
/// which a text area shows literally, and the HTML parser drops a leading line break.
#[must_use]
pub fn text_area_content(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    // The parser of a document skips the first line break after the tag (HTML, section 13.1.2.5); that of `innerHTML` does not.
    if cfg!(feature = "ssr") {
        format!("\n{escaped}")
    } else {
        escaped
    }
}

#[cfg(test)]
mod tests {
    use super::text_area_content;

    #[test]
    fn a_text_stays_text_and_keeps_its_first_empty_line() {
        assert_eq!(text_area_content(""), "");
        let skipped = if cfg!(feature = "ssr") { "\n" } else { "" };
        assert_eq!(text_area_content("\na"), format!("{skipped}\na"));
        assert_eq!(
            text_area_content("</textarea><script>&amp;"),
            format!("{skipped}&lt;/textarea&gt;&lt;script&gt;&amp;amp;")
        );
    }
}
