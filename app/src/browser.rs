//! Access to the browser's document. On the server these functions do nothing: effects and event handlers do not run there.

#[cfg(feature = "hydrate")]
#[path = "browser/dom.rs"]
mod dom;
#[cfg(not(feature = "hydrate"))]
#[path = "browser/no_dom.rs"]
mod dom;
#[cfg(feature = "hydrate")]
mod pointer;

pub use dom::*;
#[cfg(feature = "hydrate")]
pub use pointer::*;
