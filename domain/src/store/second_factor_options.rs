//! The settings of second factors.

use super::encryption::EncryptionKeys;

/// The settings of second factors.
#[derive(Clone, Debug, Default)]
pub struct SecondFactorOptions {
    /// The keys under which seeds are stored.
    pub keys: EncryptionKeys,
    /// Whether super users need a second factor.
    pub is_required_of_super_users: bool,
}
