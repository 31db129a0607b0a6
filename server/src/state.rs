//! The state shared by all handlers.

use std::{ops::Deref, sync::Arc};

use app::ssr::Bundle;
use domain::{store::Store, verify::Verifier};

use crate::{config::Config, drain::Drain, single_sign_on::SingleSignOn};

/// The state shared by all handlers. Cloning increments one reference count, because axum clones it several times per request.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

/// The parts of [`AppState`].
#[derive(Debug)]
pub struct Shared {
    /// The database.
    pub store: Store,
    /// Verifies `X-API-Key`.
    pub verifier: Verifier,
    /// The settings.
    pub config: Arc<Config>,
    /// The URLs of the browser's files.
    pub bundle: Arc<Bundle>,
    /// The provider of single sign-on, if there is one.
    pub single_sign_on: Option<SingleSignOn>,
    /// Whether the server drains.
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
