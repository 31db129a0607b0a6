//! A point in the code at which a test can suspend a task.

use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, mpsc};

/// A gate that is open until a test closes it.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    gate: Mutex<Option<Gate>>,
}

#[derive(Clone, Debug)]
struct Gate {
    arrived: mpsc::UnboundedSender<()>,
    opened: Arc<Semaphore>,
}

impl Pause {
    /// The point at which a task stops while the gate is closed.
    pub(crate) async fn here(&self) {
        let gate = self.gate.lock().expect("no holder panics").clone();
        if let Some(gate) = gate {
            gate.arrived.send(()).expect("the test waits");
            let _open = gate.opened.acquire().await.expect("never closed");
        }
    }

    /// Closes the gate. Returns a channel that receives a message for each task that stops, and the semaphore whose permits let tasks pass.
    pub(crate) fn close(&self) -> (mpsc::UnboundedReceiver<()>, Arc<Semaphore>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let opened = Arc::new(Semaphore::new(0));
        let gate = Gate {
            arrived,
            opened: Arc::clone(&opened),
        };
        *self.gate.lock().expect("no holder panics") = Some(gate);
        (arrivals, opened)
    }
}
