//! A TCP proxy between a replica and PostgreSQL that simulates network faults.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// The interval at which a stalled connection checks whether it is still stalled.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of a replica, by purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionKind {
    All,
    /// The connection that polls for changes.
    Poll,
    /// The connection that receives notifications.
    Notifications,
}

/// The fault of a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitFault {
    /// The connection is closed before the server receives the COMMIT.
    RequestLost,
    /// The connection is closed as soon as the COMMIT is sent.
    ConnectionCut,
    /// The server responds, and the connection is closed before the response arrives.
    ResponseLost,
    /// The server responds, and the response is held back until the proxy is healed.
    ResponseHeld,
}

#[derive(Debug, Default)]
struct Faults {
    /// The fault of each COMMIT.
    commits: Option<CommitFault>,
    /// Connections of this kind transfer nothing and stay open.
    stalled: Option<ConnectionKind>,
    /// Whether PostgreSQL's notifications are dropped.
    drops_notifications: bool,
    /// The delay of each response to a poll.
    poll_delay: Duration,
}

/// The proxy. Once it is dropped, it accepts no more connections and closes the open ones.
pub(crate) struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<String>,
    faults: Mutex<Faults>,
    open: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

impl FaultProxy {
    /// A proxy in front of `target`, a host and a port.
    pub(crate) fn in_front_of(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(target.to_owned()),
            faults: Mutex::default(),
            open: Mutex::default(),
            ended: AtomicBool::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || {
                    // The error is ignored: the tests end connections on purpose.
                    let _ = shared.serve(client);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Stalls connections until [`Self::heal`].
    pub(crate) fn stall(&self, kind: ConnectionKind) {
        self.shared.faults.lock().unwrap().stalled = Some(kind);
    }

    /// Drops notifications until [`Self::heal`].
    pub(crate) fn drop_notifications(&self) {
        self.shared.faults.lock().unwrap().drops_notifications = true;
    }

    /// Delays responses to polls until [`Self::heal`].
    pub(crate) fn delay_polls(&self, by: Duration) {
        self.shared.faults.lock().unwrap().poll_delay = by;
    }

    /// Applies a fault to each COMMIT until [`Self::heal`].
    pub(crate) fn on_commit(&self, commit: CommitFault) {
        self.shared.faults.lock().unwrap().commits = Some(commit);
    }

    /// Ends every fault.
    pub(crate) fn heal(&self) {
        *self.shared.faults.lock().unwrap() = Faults::default();
    }

    /// Closes every connection; new ones are forwarded to `target`.
    pub(crate) fn move_to(&self, target: &str) {
        *self.shared.target.lock().unwrap() = target.to_owned();
        self.shared.close();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.close();
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn close(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(self: Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        let first = read_startup(&mut client)?;
        let kind = kind_of(&first);
        self.wait_while_stalled(kind);
        let target = self.target.lock().unwrap().clone();
        let target = target.parse().map_err(io::Error::other)?;
        let mut server = TcpStream::connect_timeout(&target, CONNECT_TIMEOUT)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            self.open.lock().unwrap().push(stream.try_clone()?);
        }
        server.write_all(&first)?;
        let (from_server, to_client) = (server.try_clone()?, client.try_clone()?);
        let (responding, committing) = (Arc::clone(&self), Arc::<AtomicBool>::default());
        let is_committing = Arc::clone(&committing);
        thread::spawn(move || {
            let _ = responding.forward_responses(kind, &is_committing, &from_server, &to_client);
            let _ = from_server.shutdown(Shutdown::Both);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let forwarded = self.forward_requests(kind, &committing, &client, &server);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        forwarded
    }

    /// Forwards the client's messages one by one.
    fn forward_requests(
        &self,
        kind: ConnectionKind,
        committing: &AtomicBool,
        mut client: &TcpStream,
        mut server: &TcpStream,
    ) -> io::Result<()> {
        loop {
            let message = read_message(&mut client)?;
            self.wait_while_stalled(kind);
            let is_commit = message[0] == b'Q' && message[5..].starts_with(b"COMMIT");
            let fault = is_commit
                .then(|| self.faults.lock().unwrap().commits)
                .flatten();
            if fault == Some(CommitFault::RequestLost) {
                return Ok(());
            }
            // Set before the server can respond.
            committing.store(fault.is_some(), Ordering::SeqCst);
            server.write_all(&message)?;
            if fault == Some(CommitFault::ConnectionCut) {
                return Ok(());
            }
        }
    }

    fn forward_responses(
        &self,
        kind: ConnectionKind,
        committing: &AtomicBool,
        mut server: &TcpStream,
        mut client: &TcpStream,
    ) -> io::Result<()> {
        loop {
            let message = read_message(&mut server)?;
            self.wait_while_stalled(kind);
            let ends_response = message[0] == b'Z';
            if ends_response && kind == ConnectionKind::Poll {
                let delay = self.faults.lock().unwrap().poll_delay;
                thread::park_timeout(delay);
            }
            while committing.load(Ordering::SeqCst) && !self.ended.load(Ordering::SeqCst) {
                match self.faults.lock().unwrap().commits {
                    Some(CommitFault::ResponseHeld) => {}
                    Some(CommitFault::ResponseLost) if ends_response => return Ok(()),
                    Some(CommitFault::ResponseLost) => break,
                    _ => committing.store(false, Ordering::SeqCst),
                }
                thread::park_timeout(CHECK_INTERVAL);
            }
            let is_notification = message[0] == b'A';
            let is_lost = committing.load(Ordering::SeqCst)
                || (is_notification && self.faults.lock().unwrap().drops_notifications);
            if !is_lost {
                client.write_all(&message)?;
            }
        }
    }

    /// Waits while connections of this kind are stalled.
    fn wait_while_stalled(&self, kind: ConnectionKind) {
        while !self.ended.load(Ordering::SeqCst) {
            let stalled = self.faults.lock().unwrap().stalled;
            if !stalled.is_some_and(|stalled| stalled == ConnectionKind::All || stalled == kind) {
                return;
            }
            thread::park_timeout(CHECK_INTERVAL);
        }
    }
}

/// Reads a message of PostgreSQL's protocol: a letter, a length that includes itself, a body.
fn read_message(stream: &mut &TcpStream) -> io::Result<Vec<u8>> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut message = head.to_vec();
    message.resize(length as usize + 1, 0);
    stream.read_exact(&mut message[5..])?;
    Ok(message)
}

/// Reads the first message of a client, which has no letter.
fn read_startup(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let mut message = length.to_vec();
    message.resize(u32::from_be_bytes(length) as usize, 0);
    client.read_exact(&mut message[4..])?;
    Ok(message)
}

/// The kind of a connection, determined by its application name.
fn kind_of(startup: &[u8]) -> ConnectionKind {
    let contains = |name: &[u8]| startup.windows(name.len()).any(|part| part == name);
    if contains(b"latchkey notify\0") {
        ConnectionKind::Notifications
    } else if contains(b"latchkey poll\0") {
        ConnectionKind::Poll
    } else {
        ConnectionKind::All
    }
}
