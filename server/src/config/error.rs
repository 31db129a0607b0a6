//! A setting that is refused.

/// A setting whose value is refused: one line that names the variable, the value and what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    pub(super) variable: String,
    pub(super) problem: String,
}
