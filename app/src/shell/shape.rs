//! The shape of a page: a 32-bit hash of its elements, texts and comments in their order.
//!
//! Hydration attaches itself to the page's nodes, so these must be the nodes that the server sent. An element, text or comment that a
//! browser extension, a translator or a proxy adds or removes changes the shape. Attributes and the wording of texts do not; hydration does
//! not depend on them. `start.js` computes the same hash from the browser's nodes immediately before hydration.
//!
//! The hash is FNV-1a over one string: `<` and the name of each element, its content, `>`; `t` for a text, `!` for a comment. It leaves
//! out the contents of scripts, styles and text areas, and everything from the first `<svg>` child of `<body>` on (the icons).

/// The placeholder in `start.js` for the hash.
const PLACE: &str = "%shape%";

/// Elements without an end tag.
const VOID: [&str; 8] = ["area", "br", "hr", "img", "input", "link", "meta", "wbr"];

/// Elements whose content is text.
const RAW: [&str; 3] = ["script", "style", "textarea"];

/// Writes the shape of a page into its document. A page without a script has no placeholder and is returned unchanged.
#[must_use]
pub fn with_shape(document: String) -> String {
    // No text of a user precedes the placeholder.
    let Some((head, rest)) = document.split_once(PLACE) else {
        return document;
    };
    let body = rest.split_once("<body").map_or("", |(_, body)| body);
    let body = body.split_once('>').map_or("", |(_, body)| body);
    format!("{head}{}{rest}", shape(body))
}

fn shape(body: &str) -> u32 {
    let mut hash = Hash(2_166_136_261);
    let mut depth = 0_usize;
    let mut rest = body;
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            hash.add("t");
            rest = rest.find('<').map_or("", |end| &rest[end..]);
            continue;
        };
        if let Some(comment) = tag.strip_prefix('!') {
            hash.add("!");
            let end = if comment.starts_with("--") {
                "-->"
            } else {
                ">"
            };
            rest = after(comment, end);
            continue;
        }
        if let Some(end) = tag.strip_prefix('/') {
            if depth == 0 {
                // The end of `<body>`.
                break;
            }
            depth -= 1;
            hash.add(">");
            rest = after(end, ">");
            continue;
        }
        let name_ends = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let (name, attributes) = tag.split_at(name_ends.unwrap_or(tag.len()));
        if depth == 0 && name == "svg" {
            break;
        }
        hash.add("<");
        hash.add(name);
        rest = after_attributes(attributes);
        if VOID.contains(&name) {
            hash.add(">");
        } else if RAW.contains(&name) {
            hash.add(">");
            rest = after(after(rest, &format!("</{name}")), ">");
        } else {
            depth += 1;
        }
    }
    hash.0
}

/// FNV-1a, 32 bits.
struct Hash(u32);

impl Hash {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(16_777_619);
        }
    }
}

/// The text after the first `end`.
fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// The text after the `>` of a tag, skipping quoted attribute values.
fn after_attributes(text: &str) -> &str {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return &text[at + 1..],
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of the expected string, for readable assertions.
    fn of(text: &str) -> u32 {
        let mut hash = Hash(2_166_136_261);
        hash.add(text);
        hash.0
    }

    #[test]
    fn elements_texts_and_comments_count_and_nothing_else_does() {
        let cases = [
            ("", ""),
            ("<p>a</p>", "<pt>"),
            ("<p class=\"a > b\" hidden>b</p>", "<pt>"),
            ("<p title='\"'>one &amp; two</p>", "<pt>"),
            ("<p>a<!>b</p>", "<pt!t>"),
            ("<p>a<!-- > -->b<br>c</p>", "<pt!t<br>t>"),
            ("<input value=\"x\"><hr>", "<input><hr>"),
            ("<textarea>\n<p></textarea>t", "<textarea>t"),
            ("<script>a < b</script>", "<script>"),
            (
                "<p><svg class=\"icon\"><use href=\"#x\"></use></svg></p>",
                "<p<svg<use>>>",
            ),
            ("<p></p><svg><p></p></svg><p>", "<p>"),
            ("<p></p></body></html>", "<p>"),
            ("<my-element>a</my-element>", "<my-elementt>"),
        ];
        for (html, text) in cases {
            assert_eq!(shape(html), of(text), "{html}");
        }
        assert_eq!(of(""), 2_166_136_261);
        // The test vector of the FNV documentation.
        assert_eq!(of("foobar"), 0xbf9c_f968);
    }

    #[test]
    fn the_number_is_written_into_the_head_and_nowhere_else() {
        let document =
            "<head><script>'%shape%'</script></head><body class=\"x\"><p>%shape%</p></body>";
        let number = of("<pt>");
        assert_eq!(
            with_shape(document.to_owned()),
            format!(
                "<head><script>'{number}'</script></head><body class=\"x\"><p>%shape%</p></body>"
            )
        );
        assert_eq!(with_shape("<body><p>".to_owned()), "<body><p>");
    }

    #[test]
    fn broken_html_ends() {
        for html in [
            "<",
            "<p",
            "<p a=\"",
            "<!",
            "<!--",
            "</",
            "<textarea>",
            "\u{e4}<\u{e4}>",
        ] {
            shape(html);
        }
    }
}
