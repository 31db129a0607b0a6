//! Version, commit and licence of this build.

/// The text of `latchkey --version` behind the program's name.
pub(crate) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("LATCHKEY_COMMIT"),
    "\nlicense: ",
    env!("CARGO_PKG_LICENSE"),
);
