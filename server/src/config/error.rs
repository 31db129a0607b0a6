//! The error for a refused setting.

/// A setting whose value is refused: one line with the variable, the value and the accepted values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    pub(super) variable: String,
    pub(super) problem: String,
}
