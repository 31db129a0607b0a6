//! What every handler shares.

use std::sync::Arc;

use app::ssr::Bundle;
use domain::{store::Store, verify::Verifier};

use crate::config::Config;

/// What every handler shares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// The judge of `X-API-Key`.
    pub verifier: Verifier,
    /// The settings.
    pub config: Arc<Config>,
    /// The browser's files, as URLs.
    pub bundle: Arc<Bundle>,
}
