//! The time between the signal to stop and the end of the listener.
//!
//! A proxy stops sending requests only after a check of `/readyz` fails. Until every proxy has checked once, the server continues to serve;
//! it closes each connection after its response, so that no request arrives on a connection that is being closed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::response::Response;
use http::{HeaderValue, header};

/// Whether the server drains. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<AtomicBool>);

impl Drain {
    /// Starts draining: `/readyz` responds 503, and every response closes its connection.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether draining has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds `Connection: close` while draining.
    pub(crate) fn close_after(&self, response: &mut Response) {
        if self.has_begun() {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
