//! `latchkey generate-encryption-key` and `latchkey rotate-encryption-key`

use domain::store::encryption::EncryptionKeys;
use serde::Serialize;

use super::context::CommandContext;
use crate::{failure::Failure, output::Output};

/// A new key in the output.
#[derive(Serialize)]
struct GeneratedKey<'a> {
    encryption_key: &'a str,
}

/// Prints a new key.
pub(super) fn generate(output: Output) -> Result<(), Failure> {
    let key = EncryptionKeys::generate()?;
    let object = GeneratedKey {
        encryption_key: &key,
    };
    output.secret(&key, &object)
}

/// Re-encrypts the stored secrets, and prints how many.
pub(super) async fn rotate(context: &CommandContext) -> Result<(), Failure> {
    let rotated = context.store.rotate_encryption_key().await?;
    let line = format!("{} re-encrypted.\n", rotated.reencrypted);
    context.output.text(&line, &rotated)?;
    if rotated.unreadable > 0 {
        return Err(Failure::new(format!(
            "{} stored secrets are encrypted with neither LATCHKEY_ENCRYPTION_KEY nor LATCHKEY_ENCRYPTION_KEY_PREVIOUS, and stay as they are",
            rotated.unreadable
        )));
    }
    Ok(())
}
