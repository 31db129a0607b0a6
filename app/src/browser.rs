//! What only a browser does. On the server each of these does nothing: no effect and no event handler runs there.

#[cfg(feature = "hydrate")]
#[path = "browser/page.rs"]
mod page;
#[cfg(not(feature = "hydrate"))]
#[path = "browser/nothing.rs"]
mod page;
#[cfg(feature = "hydrate")]
mod press;

pub use page::*;
#[cfg(feature = "hydrate")]
pub use press::*;
