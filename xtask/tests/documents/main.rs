//! Checks the Markdown files against the repository: paths, links, anchors, guarantees and section numbers.

mod files;
mod guarantees;
mod links;
