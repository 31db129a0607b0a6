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

/// The letters of `text` in lower case, without their marks as far as Unicode takes them apart, and ligatures as two letters.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn without_marks(text: &str) -> String {
    use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
    let mut plain = String::with_capacity(text.len());
    let letters = text.nfkd().filter(|letter| !is_combining_mark(*letter));
    for letter in letters.flat_map(char::to_lowercase) {
        match letter {
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            'ø' => plain.push('o'),
            'ł' => plain.push('l'),
            'đ' | 'ð' => plain.push('d'),
            'ı' => plain.push('i'),
            other => plain.push(other),
        }
    }
    plain
}

/// The browser makes no slug.
#[cfg(target_arch = "wasm32")]
pub(crate) fn without_marks(text: &str) -> String {
    text.to_lowercase()
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

/// How many characters of `text` can be seen: those that are not white space, format characters or ignorable by default.
#[must_use]
pub fn visible_length(text: &str) -> usize {
    text.chars()
        .filter(|character| !is_invisible(*character))
        .count()
}

/// White space, control characters, and what Unicode 16 has as `Cf` or `Default_Ignorable_Code_Point`.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || is_control(character)
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}'
            | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A name of a tenant, user or group: 1–200 characters on one plain line, at least one of them visible, in normal form.
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
    if visible_length(&name) == 0 {
        return Err("Must have at least 1 visible character");
    }
    Ok(name)
}
