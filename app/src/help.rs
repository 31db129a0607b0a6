//! The guide for tenant administrators: `docs/guide.md` as a page.

use std::{fmt::Write as _, sync::LazyLock};

use leptos::prelude::*;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::{
    components::{PageTitle, support::SupportUrl},
    document::Document,
    urls,
};

/// The source of the guide, also a document of the repository.
const SOURCE: &str = include_str!("../../docs/guide.md");

static GUIDE: LazyLock<Guide> = LazyLock::new(|| Guide::render(SOURCE));

/// The guide as HTML.
#[derive(Debug, Default)]
struct Guide {
    title: String,
    /// The table of contents: nested lists of links.
    contents: String,
    body: String,
}

/// The page.
#[component]
pub fn HelpPage() -> impl IntoView {
    let guide = &*GUIDE;
    let support = use_context::<SupportUrl>().and_then(|url| url.0.get_untracked());
    let support = support.map(|url| {
        view! { <a class="button" rel="external noreferrer" href=url>"Contact support"</a> }
    });
    view! {
        <PageTitle text="Help – Latchkey" />
        <div class="page">
            <header class="page-header">
                <div><h1 tabindex="-1">{guide.title.as_str()}</h1></div>
                {support}
            </header>
            <Document
                contents=guide.contents.as_str().into()
                body=guide.body.as_str().into()
            />
        </div>
    }
}

impl Guide {
    /// Renders Markdown whose first heading is the title. Every other heading gets the anchor that GitHub gives it.
    fn render(source: &str) -> Self {
        let mut guide = Self::default();
        let mut events = Vec::new();
        let mut open_level = None;
        let mut parser = Parser::new_ext(source, Options::ENABLE_TABLES);
        while let Some(event) = parser.next() {
            let Event::Start(Tag::Heading { level, .. }) = event else {
                events.push(with_page_link(event));
                continue;
            };
            let content: Vec<_> = parser
                .by_ref()
                .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
                .collect();
            let text = text_of(&content);
            if level == HeadingLevel::H1 {
                guide.title = text;
                continue;
            }
            let anchor = anchor_of(&text);
            guide.add_to_contents(&mut open_level, level, &anchor, &content);
            events.push(Event::Start(Tag::Heading {
                level,
                id: Some(CowStr::from(anchor)),
                classes: Vec::new(),
                attrs: Vec::new(),
            }));
            events.extend(content);
            events.push(Event::End(TagEnd::Heading(level)));
        }
        if let Some(level) = open_level {
            guide.contents.push_str(closing(level));
        }
        html::push_html(&mut guide.body, events.into_iter());
        guide
    }

    fn add_to_contents(
        &mut self,
        open: &mut Option<HeadingLevel>,
        level: HeadingLevel,
        anchor: &str,
        content: &[Event<'_>],
    ) {
        let level = level.max(HeadingLevel::H2);
        if level > HeadingLevel::H3 {
            return;
        }
        self.contents.push_str(match (*open, level) {
            (None, _) => "<ul>",
            (Some(HeadingLevel::H2), HeadingLevel::H3) => "<ul>",
            (Some(HeadingLevel::H3), HeadingLevel::H2) => "</li></ul></li>",
            _ => "</li>",
        });
        let mut title = String::new();
        html::push_html(&mut title, content.iter().cloned());
        let _ = write!(self.contents, "<li><a href=\"#{anchor}\">{title}</a>");
        *open = Some(level);
    }
}

/// The end of the lists that are open after a heading of this level.
const fn closing(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H3 => "</li></ul></li></ul>",
        _ => "</li></ul>",
    }
}

/// Replaces the target of a link to a document of the repository by the page that shows it.
fn with_page_link(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) if &*dest_url == "api.md" => Event::Start(Tag::Link {
            link_type,
            dest_url: CowStr::Borrowed(urls::API_DOCS),
            title,
            id,
        }),
        event => event,
    }
}

fn text_of(events: &[Event<'_>]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(&**text),
            _ => None,
        })
        .collect()
}

/// The anchor that GitHub gives a heading.
fn anchor_of(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_get_anchors_and_nested_contents() {
        let guide = Guide::render(
            "# Title\n\n## Why is it refused?\n\n### `ip_not_allowed`\n\nSee [the API](api.md).\n\n## Last & least\n",
        );
        assert_eq!(guide.title, "Title");
        assert_eq!(
            guide.contents,
            "<ul><li><a href=\"#why-is-it-refused\">Why is it refused?</a><ul><li><a href=\"#ip_not_allowed\"><code>ip_not_allowed</code></a>\
             </li></ul></li><li><a href=\"#last--least\">Last &amp; least</a></li></ul>"
        );
        assert!(
            guide
                .body
                .contains("<h3 id=\"ip_not_allowed\"><code>ip_not_allowed</code></h3>")
        );
        assert!(guide.body.contains("<a href=\"/api/docs\">the API</a>"));
    }

    #[test]
    fn every_link_within_the_guide_leads_to_one_heading() {
        let anchors: Vec<_> = GUIDE.body.split(" id=\"").skip(1).collect();
        let anchors: Vec<_> = anchors
            .iter()
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let links = GUIDE.body.split("href=\"").skip(1);
        let targets: Vec<_> = links.filter_map(|rest| rest.split('"').next()).collect();
        assert!(targets.len() > 10, "{targets:?}");
        for target in targets {
            match target.strip_prefix('#') {
                Some(anchor) => {
                    let number = anchors.iter().filter(|known| **known == anchor).count();
                    assert_eq!(number, 1, "{target}");
                }
                None => assert_eq!(target, urls::API_DOCS),
            }
        }
    }
}
