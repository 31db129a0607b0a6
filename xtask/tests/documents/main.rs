//! What the Markdown files of the repository say of it is true: paths, links, anchors, guarantees and section numbers.

mod files;
mod guarantees;
mod links;
