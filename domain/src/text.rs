//! Typed text: its normal form, and the characters that it must not contain.

/// Trims white space at both ends and composes to NFC, so that equal names have equal bytes.
#[must_use]
pub fn normalise(input: &str) -> String {
    let composed = compose(input.trim());
    // Trimmed again after the composition, so that the function is idempotent.
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

/// NFC by the browser's own tables, because those of Rust would be a tenth of the download. The server normalises again with its own
/// tables.
#[cfg(target_arch = "wasm32")]
fn compose(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    js_sys::JsString::from(text).normalize("NFC").into()
}

/// The letters of `text` in lower case, without the marks that Unicode decomposes, and ligatures as two letters.
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

/// Unused in the browser, which creates no slugs.
#[cfg(target_arch = "wasm32")]
pub(crate) fn without_marks(text: &str) -> String {
    text.to_lowercase()
}

/// The length in Unicode scalar values, as rules and counters measure it.
#[must_use]
pub fn length(text: &str) -> usize {
    text.chars().count()
}

/// Control characters (C0, DEL, C1).
#[must_use]
pub fn is_control(character: char) -> bool {
    character.is_control()
}

/// Bidirectional control characters, which can make a name look like another
/// (Unicode Technical Report 36, "Trojan Source"): embeddings, overrides, isolates, and their ends.
#[must_use]
pub fn is_bidirectional_override(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether `text` is one line without control and bidirectional control characters.
#[must_use]
pub fn is_plain_line(text: &str) -> bool {
    !text.chars().any(|character| {
        is_control(character)
            || is_bidirectional_override(character)
            || matches!(character, '\u{2028}' | '\u{2029}')
    })
}

/// The message if [`is_plain_line`] is false.
pub const NOT_A_PLAIN_LINE: &str = "Must not contain control or text-direction characters";

/// The number of visible characters of `text`: not white space, format characters or default-ignorable.
#[must_use]
pub fn visible_length(text: &str) -> usize {
    text.chars()
        .filter(|character| !is_invisible(*character))
        .count()
}

/// White space, control characters, and `Cf` or `Default_Ignorable_Code_Point` of Unicode 16.
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
/// The message for the page.
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

/// The form in which names and descriptions are sorted and searched. The application converts to lower case, because the databases disagree
/// beyond ASCII. A sigma at the end of a word becomes the regular sigma.
#[cfg(feature = "store")]
pub(crate) fn lowered(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}
