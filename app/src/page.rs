//! The types of a row of the page table (`pages.rs`): path, access, menu entry. This module names no page.

use std::borrow::Cow;

use domain::user::Role;
use leptos::prelude::AnyView;
use leptos_router::{PartialPathMatch, PathSegment, PossibleRouteMatch};

/// The users who may open a page or call a server function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every client. Such a page is shown without the console's menu.
    Anyone,
    /// Every client. Signed-in users see the page within the console's layout.
    Public,
    /// Every signed-in user.
    SignedIn,
    /// Tenant administrators in their own tenant; super users in the tenant of the URL.
    KeyManager,
    /// Super users.
    SuperUser,
}

impl Access {
    /// Whether a signed-in user of that role has access. Does not check the tenant.
    #[must_use]
    pub const fn admits(self, role: Role) -> bool {
        match self {
            Self::Anyone | Self::Public | Self::SignedIn => true,
            Self::KeyManager => role.manages_keys(),
            Self::SuperUser => matches!(role, Role::SuperUser),
        }
    }
}

/// A page: a row of the page table.
#[derive(Clone, Copy)]
pub struct Page {
    /// Its path, with parameters in braces, e.g. `/tenant-api-keys/{id}`.
    pub path: &'static str,
    /// The users who may open it.
    pub access: Access,
    /// Its entry in the menu, if it has one.
    pub menu: Option<MenuEntry>,
    /// The paths of its dialogs, below its own, e.g. `/{id}/edit`. The page stays mounted when a dialog opens or closes; it reads the open
    /// dialog from the URL, and contains an `<Outlet />`.
    pub dialogs: &'static [&'static str],
    /// Whether the browser hydrates it. A page without script consists of links and forms; links to it have `rel="external"`, so that the
    /// browser loads it from the server.
    pub has_script: bool,
    /// Its component.
    pub view: fn() -> AnyView,
}

impl Page {
    /// Every path that shows this page: its own and those of its dialogs.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        let dialogs = self.dialogs.iter().copied();
        let own = self.path;
        std::iter::once("")
            .chain(dialogs)
            .map(move |below| format!("{own}{below}"))
    }

    /// Whether `path` shows this page or one of its dialogs.
    #[must_use]
    pub fn is_shown_at(&self, path: &str) -> bool {
        let matches = |pattern: &'static str, path: &str| {
            let matched = PagePath(pattern).test(path);
            matched.map(|matched| matched.remaining().to_owned())
        };
        let Some(below) = matches(self.path, path) else {
            return false;
        };
        let is_whole = |rest: &str| rest.is_empty() || rest == "/";
        is_whole(&below)
            || self
                .dialogs
                .iter()
                .any(|dialog| matches(dialog, &below).is_some_and(|rest| is_whole(&rest)))
    }

    /// Whether a path is that of this page or below it.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

/// The entry of a page in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// The section that lists it.
    pub section: MenuSection,
    /// Its text.
    pub label: &'static str,
    /// Its icon in `components/icons.svg`.
    pub icon: &'static str,
}

/// The page table as a context, for components that `pages.rs` imports.
#[derive(Clone, Copy)]
pub struct PageTable(pub &'static [Page]);

/// A section of the menu. A section without a page that the user may open is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MenuSection {
    /// Settings → Data & Monitoring.
    DataAndMonitoring,
    /// Settings → Access.
    Access,
    /// Operator. Its pages belong to no tenant.
    Operator,
    /// Help: in the sidebar for users who manage keys, in the menu under the user's name for members.
    Help,
    /// The menu under the user's name.
    Account,
}

impl MenuSection {
    /// The sections of the sidebar in their order, grouped by their outermost title. [`Self::Account`] is a separate menu.
    pub const SIDEBAR: [&[Self]; 3] = [
        &[Self::DataAndMonitoring, Self::Access],
        &[Self::Operator],
        &[Self::Help],
    ];

    /// The titles from the outermost inwards, e.g. Settings, Data & Monitoring.
    #[must_use]
    pub const fn titles(self) -> &'static [&'static str] {
        match self {
            Self::DataAndMonitoring => &["Settings", "Data & Monitoring"],
            Self::Access => &["Settings", "Access"],
            Self::Operator => &["Operator"],
            Self::Help | Self::Account => &[],
        }
    }

    /// Whether its pages show the data of one tenant.
    #[must_use]
    pub const fn needs_tenant(self) -> bool {
        matches!(self, Self::DataAndMonitoring | Self::Access)
    }

    /// Whether links to its pages carry `?tenant=`.
    #[must_use]
    pub const fn is_of_tenant(self) -> bool {
        !matches!(self, Self::Operator)
    }
}

/// The path of a page or dialog as leptos' router matches it. One type for all pages, so that the router is compiled once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagePath(pub &'static str);

impl PagePath {
    fn segments(self) -> impl Iterator<Item = &'static str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

/// The name of the parameter in `{name}`.
fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

impl PossibleRouteMatch for PagePath {
    fn optional(&self) -> bool {
        false
    }

    fn test<'a>(&self, path: &'a str) -> Option<PartialPathMatch<'a>> {
        let mut rest = path;
        let mut parameters = Vec::new();
        for segment in self.segments() {
            let from_here = rest.strip_prefix('/')?;
            let (value, remaining) =
                from_here.split_at(from_here.find('/').unwrap_or(from_here.len()));
            match parameter(segment) {
                Some(name) if !value.is_empty() => {
                    parameters.push((Cow::Borrowed(name), value.to_owned()));
                }
                None if value == segment => {}
                _ => return None,
            }
            rest = remaining;
        }
        let matched = &path[..path.len() - rest.len()];
        Some(PartialPathMatch::new(rest, parameters, matched))
    }

    fn generate_path(&self, path: &mut Vec<PathSegment>) {
        path.extend(self.segments().map(|segment| match parameter(segment) {
            Some(name) => PathSegment::Param(name.into()),
            None => PathSegment::Static(segment.into()),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &'static str, path: &str) -> Option<(String, Vec<String>)> {
        let found = PagePath(pattern).test(path)?;
        let rest = found.remaining().to_owned();
        let values = found.params().into_iter().map(|(_, value)| value).collect();
        Some((rest, values))
    }

    #[test]
    fn a_path_matches_segment_by_segment_and_leaves_the_rest() {
        let rest = |rest: &str| Some((rest.to_owned(), Vec::new()));
        assert_eq!(matched("/account", "/account"), rest(""));
        assert_eq!(matched("/account", "/account/"), rest("/"));
        assert_eq!(matched("/account", "/account/x"), rest("/x"));
        assert_eq!(matched("/account", "/accounts"), None);
        assert_eq!(matched("/account", "/"), None);
        assert_eq!(matched("", "/account"), rest("/account"));
        assert_eq!(
            matched("/{id}/edit", "/0198/edit"),
            Some((String::new(), vec!["0198".to_owned()]))
        );
        assert_eq!(matched("/{id}/edit", "//edit"), None);
        assert_eq!(matched("/{id}/edit", "/0198/rotate"), None);
    }

    #[test]
    fn a_page_contains_what_lies_below_it_and_not_what_begins_alike() {
        let page = Page {
            path: "/users",
            access: Access::KeyManager,
            menu: None,
            dialogs: &["/{id}/edit"],
            has_script: true,
            view: || unreachable!("the view is not rendered"),
        };
        assert!(page.contains("/users") && page.contains("/users/1/edit"));
        assert!(!page.contains("/users-and-groups") && !page.contains("/"));
        assert!(page.is_shown_at("/users") && page.is_shown_at("/users/1/edit"));
        assert!(!page.is_shown_at("/users/1") && !page.is_shown_at("/users/1/rotate"));
        assert_eq!(
            page.paths().collect::<Vec<_>>(),
            ["/users", "/users/{id}/edit"]
        );
    }
}
