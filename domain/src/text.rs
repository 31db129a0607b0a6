//! Text that people type and other people read: how it is brought into one form, and which characters are refused in it.

/// Trims white space at both ends and composes to NFC, so that two spellings of one name are one name.
#[must_use]
pub fn normalise(input: &str) -> String {
    let composed = compose(input.trim());
    // Composition can only join characters; what it leaves at the ends is trimmed once more to make this idempotent.
    match composed.trim() {
        trimmed if trimmed.len() == composed.len() => composed,
        trimmed => trimmed.to_owned(),
    }
}

/// NFC (Unicode Standard Annex 15).
#[cfg(not(target_arch = "wasm32"))]
fn compose(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    text.nfc().collect()
}

/// NFC by the browser's own tables, which would be a tenth of what it downloads. The server, which has the last word, uses its own.
#[cfg(target_arch = "wasm32")]
fn compose(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    js_sys::JsString::from(text).normalize("NFC").into()
}

/// The length that rules and counters speak of: Unicode scalar values.
#[must_use]
pub fn length(text: &str) -> usize {
    text.chars().count()
}

/// Control characters (C0, DEL, C1).
#[must_use]
pub fn is_control(character: char) -> bool {
    character.is_control()
}

/// The characters that change the direction of the text around them, and so can make a name read as another
/// (Unicode Technical Report 36, "Trojan Source"): embeddings, overrides, isolates, and their ends.
#[must_use]
pub fn is_bidirectional_override(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether `text` can stand on one line of a page and of a log and read as what it is.
#[must_use]
pub fn is_plain_line(text: &str) -> bool {
    !text.chars().any(|character| {
        is_control(character)
            || is_bidirectional_override(character)
            || matches!(character, '\u{2028}' | '\u{2029}')
    })
}

/// What a page says where [`is_plain_line`] refuses.
pub const NOT_A_PLAIN_LINE: &str = "Must not contain control or text-direction characters";

/// A name of a tenant, user or group: 1–200 characters on one plain line, in normal form.
///
/// # Errors
/// The sentence for the person who typed it.
pub fn display_name(input: &str) -> Result<String, &'static str> {
    let name = normalise(input);
    if !(1..=200).contains(&length(&name)) {
        return Err("Must be 1–200 characters");
    }
    if !is_plain_line(&name) {
        return Err(NOT_A_PLAIN_LINE);
    }
    Ok(name)
}
