//! Version, commit and licence of this build.

/// The output of `latchkey --version` after the program's name.
pub(crate) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("LATCHKEY_COMMIT"),
    "\nlicense: ",
    env!("CARGO_PKG_LICENSE"),
);
