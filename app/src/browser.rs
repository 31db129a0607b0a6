//! What only a browser does. On the server each of these does nothing: no effect and no event handler runs there.

#[cfg(feature = "hydrate")]
#[path = "browser/dom.rs"]
mod dom;
#[cfg(not(feature = "hydrate"))]
#[path = "browser/no_dom.rs"]
mod dom;
#[cfg(feature = "hydrate")]
mod press;

pub use dom::*;
#[cfg(feature = "hydrate")]
pub use press::*;
