//! Values of settings in messages: one line, shortened.

/// The longest part of a value in a message, in characters.
const MAX_QUOTED: usize = 200;

/// `text` in quotation marks, shortened, on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_QUOTED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("'{}'", one_line(&shown))
}

/// `text` with its control characters escaped.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if domain::text::is_plain_line(character.encode_utf8(&mut [0; 4])) {
            line.push(character);
        } else {
            line.extend(character.escape_unicode());
        }
    }
    line
}
