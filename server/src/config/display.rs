//! Settings in messages: one line, shortened, passwords masked.

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

/// A URL with `***` in place of passwords, even if the URL cannot be parsed: the value of every password parameter, and the text between
/// the first colon and the last `@`.
pub(crate) fn masked(url: &str) -> String {
    let url = without_password_parameters(url);
    let (start, rest) = match url.find("://") {
        Some(scheme) => url.split_at(scheme + "://".len()),
        None => ("", url.as_str()),
    };
    match rest.rsplit_once('@') {
        Some((user, place)) => match user.split_once(':') {
            Some((name, _)) => format!("{start}{name}:***@{place}"),
            None => url,
        },
        None => url,
    }
}

fn without_password_parameters(url: &str) -> String {
    url.split_inclusive(['?', '&'])
        .map(|part| {
            let (body, end) = match part.strip_suffix(['?', '&']) {
                Some(body) => (body, &part[body.len()..]),
                None => (part, ""),
            };
            match body.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                    format!("{name}=***{end}")
                }
                _ => part.to_owned(),
            }
        })
        .collect()
}
