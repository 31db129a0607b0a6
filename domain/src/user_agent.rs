//! The header `User-Agent`, shortened to browser and system. A session keeps only these two words.

/// The browser and the system of a client, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Browser {
    /// The browser, e.g. `Firefox`.
    pub name: Option<&'static str>,
    /// The operating system, or the device if it has one system only, e.g. `Windows`, `iPhone`.
    pub system: Option<&'static str>,
}

/// The number of bytes of the header that are read.
const LONGEST: usize = 512;

/// Tokens of browsers. Browsers claim to be others, so the more specific token comes first.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// Tokens of systems. Android claims to be Linux, and an iPhone to be like Mac OS X.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
];

impl Browser {
    /// Finds browser and system in the value of `User-Agent`.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        let read = user_agent.get(..LONGEST).unwrap_or(user_agent);
        let find = |words: &[(&str, &'static str)]| {
            let found = words.iter().find(|(token, _)| read.contains(token));
            found.map(|(_, word)| *word)
        };
        Self {
            name: find(BROWSERS),
            system: find(SYSTEMS),
        }
    }
}

/// The browser on its system, e.g. `Firefox on Windows`.
#[must_use]
pub fn label(name: Option<&str>, system: Option<&str>) -> String {
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        (None, Some(system)) => format!("Unknown browser on {system}"),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_shortened_to_browser_and_system() {
        const SUFFIX: &str = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0";
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
                "Firefox on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1".to_owned(),
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/143.0 Mobile/15E148 Safari/604.1".to_owned(),
                "Chrome on iPad",
            ),
            (
                format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SUFFIX} Safari/537.36"),
                "Chrome on macOS",
            ),
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {SUFFIX} Safari/537.36 Edg/143.0.0.0"),
                "Edge on Windows",
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 10; K) {SUFFIX} Mobile Safari/537.36"),
                "Chrome on Android",
            ),
            (
                format!("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {SUFFIX} Safari/537.36"),
                "Chrome on ChromeOS",
            ),
            (
                format!("Mozilla/5.0 (X11; Linux x86_64) {SUFFIX} Safari/537.36 OPR/124.0.0.0"),
                "Opera on Linux",
            ),
            ("curl/8.14.1".to_owned(), "curl"),
            ("<script>alert(1)</script>".to_owned(), "Unknown browser"),
            (String::new(), "Unknown browser"),
            (format!("{}é Firefox/1", "x".repeat(511)), "Firefox"),
            (format!("{} Firefox/1", "x".repeat(600)), "Unknown browser"),
        ] {
            let Browser { name, system } = Browser::of(&user_agent);
            assert_eq!(label(name, system), expected, "{user_agent}");
        }
    }
}
