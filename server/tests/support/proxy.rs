//! A TCP proxy between a replica and PostgreSQL that can fail in the ways that networks do.

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

/// How often a connection that is stalled looks whether it still is.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which connections of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Every one.
    All,
    /// The one on which it asks what is new.
    Beat,
    /// The one on which it listens for notices.
    Notices,
}

/// What becomes of a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// The connection is closed before it reaches the server.
    IsLost,
    /// The connection is closed as soon as it was sent.
    IsCutOff,
    /// The server answers, and the connection is closed before anybody hears it.
    AnswerIsLost,
    /// The server answers, and nobody hears it until the proxy is healed.
    AnswerIsHeld,
}

#[derive(Debug, Default)]
struct Faults {
    /// What becomes of each COMMIT.
    commits: Option<Commit>,
    /// Nothing goes through, and nothing is closed.
    stalled: Option<Which>,
    /// PostgreSQL's notices are left out.
    drops_notices: bool,
    /// By how much what is answered to the question for changes comes late.
    beats_delayed: Duration,
}

/// The proxy. Dropped, it accepts no more, and its connections are closed.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<String>,
    faults: Mutex<Faults>,
    open: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

impl Proxy {
    /// In front of `target`, a host and a port.
    pub(crate) fn before(target: &str) -> Self {
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
                    // A connection that ends is what these tests are about.
                    let _ = shared.serve(client);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on nothing goes through, until [`Self::heal`].
    pub(crate) fn stall(&self, which: Which) {
        self.shared.faults.lock().unwrap().stalled = Some(which);
    }

    /// From now on notices are left out, until [`Self::heal`].
    pub(crate) fn drop_notices(&self) {
        self.shared.faults.lock().unwrap().drops_notices = true;
    }

    /// From now on answers about what is new are late, until [`Self::heal`].
    pub(crate) fn delay_beats(&self, by: Duration) {
        self.shared.faults.lock().unwrap().beats_delayed = by;
    }

    /// From now on this becomes of each COMMIT, until [`Self::heal`].
    pub(crate) fn on_commit(&self, commit: Commit) {
        self.shared.faults.lock().unwrap().commits = Some(commit);
    }

    pub(crate) fn heal(&self) {
        *self.shared.faults.lock().unwrap() = Faults::default();
    }

    /// Closes every connection; further ones lead to `target`.
    pub(crate) fn move_to(&self, target: &str) {
        *self.shared.target.lock().unwrap() = target.to_owned();
        self.shared.close();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.close();
        // So that it sees that it has ended.
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
        let which = kind_of(&first);
        self.pass(which);
        let target = self.target.lock().unwrap().clone();
        let target = target.parse().map_err(io::Error::other)?;
        let mut server = TcpStream::connect_timeout(&target, CONNECT_TIMEOUT)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            self.open.lock().unwrap().push(stream.try_clone()?);
        }
        server.write_all(&first)?;
        let (from_server, to_client) = (server.try_clone()?, client.try_clone()?);
        let (answering, committing) = (Arc::clone(&self), Arc::<AtomicBool>::default());
        let is_committing = Arc::clone(&committing);
        thread::spawn(move || {
            let _ = answering.carry_answers(which, &is_committing, &from_server, &to_client);
            let _ = from_server.shutdown(Shutdown::Both);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let carried = self.carry_questions(which, &committing, &client, &server);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        carried
    }

    /// Message by message: a letter, a length that counts itself, a body.
    fn carry_questions(
        &self,
        which: Which,
        committing: &AtomicBool,
        mut client: &TcpStream,
        mut server: &TcpStream,
    ) -> io::Result<()> {
        loop {
            let message = read_message(&mut client)?;
            self.pass(which);
            let is_commit = message[0] == b'Q' && message[5..].starts_with(b"COMMIT");
            let fate = is_commit
                .then(|| self.faults.lock().unwrap().commits)
                .flatten();
            if fate == Some(Commit::IsLost) {
                return Ok(());
            }
            // Before the server can answer.
            committing.store(fate.is_some(), Ordering::SeqCst);
            server.write_all(&message)?;
            if fate == Some(Commit::IsCutOff) {
                return Ok(());
            }
        }
    }

    fn carry_answers(
        &self,
        which: Which,
        committing: &AtomicBool,
        mut server: &TcpStream,
        mut client: &TcpStream,
    ) -> io::Result<()> {
        loop {
            let message = read_message(&mut server)?;
            self.pass(which);
            let ends_an_answer = message[0] == b'Z';
            if ends_an_answer && which == Which::Beat {
                let delay = self.faults.lock().unwrap().beats_delayed;
                thread::park_timeout(delay);
            }
            while committing.load(Ordering::SeqCst) && !self.ended.load(Ordering::SeqCst) {
                match self.faults.lock().unwrap().commits {
                    Some(Commit::AnswerIsHeld) => {}
                    Some(Commit::AnswerIsLost) if ends_an_answer => return Ok(()),
                    Some(Commit::AnswerIsLost) => break,
                    _ => committing.store(false, Ordering::SeqCst),
                }
                thread::park_timeout(LOOK_AGAIN);
            }
            let is_notice = message[0] == b'A';
            let is_lost = committing.load(Ordering::SeqCst)
                || (is_notice && self.faults.lock().unwrap().drops_notices);
            if !is_lost {
                client.write_all(&message)?;
            }
        }
    }

    /// Waits as long as these connections are stalled.
    fn pass(&self, which: Which) {
        while !self.ended.load(Ordering::SeqCst) {
            let stalled = self.faults.lock().unwrap().stalled;
            if !stalled.is_some_and(|stalled| stalled == Which::All || stalled == which) {
                return;
            }
            thread::park_timeout(LOOK_AGAIN);
        }
    }
}

/// A letter, a length that counts itself, a body.
fn read_message(stream: &mut &TcpStream) -> io::Result<Vec<u8>> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut message = head.to_vec();
    message.resize(length as usize + 1, 0);
    stream.read_exact(&mut message[5..])?;
    Ok(message)
}

/// The first message of a client has no letter.
fn read_startup(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let mut message = length.to_vec();
    message.resize(u32::from_be_bytes(length) as usize, 0);
    client.read_exact(&mut message[4..])?;
    Ok(message)
}

/// Which connection it is, it says by its name.
fn kind_of(startup: &[u8]) -> Which {
    let says = |name: &[u8]| startup.windows(name.len()).any(|part| part == name);
    if says(b"latchkey notify\0") {
        Which::Notices
    } else if says(b"latchkey poll\0") {
        Which::Beat
    } else {
        Which::All
    }
}
