//! What every handler shares.

use std::{ops::Deref, sync::Arc};

use app::ssr::Bundle;
use domain::{store::Store, verify::Verifier};

use crate::{config::Config, drain::Drain};

/// What every handler shares. Cheap to clone, which happens several times a request: one count for all of it.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

/// The parts of [`AppState`].
#[derive(Debug)]
pub struct Shared {
    /// The database.
    pub store: Store,
    /// The judge of `X-API-Key`.
    pub verifier: Verifier,
    /// The settings.
    pub config: Arc<Config>,
    /// The browser's files, as URLs.
    pub bundle: Arc<Bundle>,
    /// Whether the server is about to stop.
    pub drain: Drain,
}

impl From<Shared> for AppState {
    fn from(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
