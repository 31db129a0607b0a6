//! How a command beside a running server comes to know that the server has noticed what it changed: over a Unix socket beside the
//! SQLite file, which its owner alone may open.
//!
//! The command says one line, the server catches up with what was committed, and says one line. Neither carries anything: whoever
//! can reach the socket can make the server read its own notes, and no more.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

use super::single_node::SingleNode;
use crate::{
    Error,
    store::connection::{file::beside, server_lock::HeldFile},
};

const QUESTION: &str = "have you noticed?\n";
const ANSWER: &str = "noticed\n";

/// How long a command waits for the server. The specification's.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a server waits for what a command says: it has nothing to think about.
const SILENCE: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// Commands that are answered at once. Further ones wait at the door.
const MOST_AT_ONCE: usize = 16;
/// Where the path of a socket has to fit into, with the zero at its end: `sun_path` of unix(7).
const MOST_BYTES: usize = 107;

/// Whether what was changed holds for requests from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It does: the server has noticed, or nobody serves this database, or nobody keeps anything of it.
    Confirmed,
    /// It is written, and a server runs that has not said that it noticed.
    NotConfirmed,
}

/// The server's side. Dropped, it takes its socket away.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    served: Served,
}

/// The database that is served.
#[derive(Clone, Debug)]
struct Served {
    file: PathBuf,
    /// Of the file when it was opened.
    identity: (u64, u64),
    node: Arc<SingleNode>,
}

impl ControlSocket {
    /// Opens the socket beside the database `file`.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(crate) fn open(file: &Path, node: Arc<SingleNode>) -> std::io::Result<Self> {
        let path = socket_path(file);
        // The socket gets its final name when its permissions are set; it then replaces one that a crash left behind.
        let unfinished = beside(file, ".sock.new");
        remove(&unfinished)?;
        let listener = ShortPath::of(&unfinished)?.bind()?;
        restrict(&unfinished)?;
        fs::rename(&unfinished, &path)?;
        Ok(Self {
            listener,
            path,
            served: Served {
                identity: identity(file)?,
                file: file.to_path_buf(),
                node,
            },
        })
    }

    /// Answers commands, for ever.
    pub async fn serve(self) {
        let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let served = self.served.clone();
                    tokio::spawn(async move {
                        if let Err(error) = serve_command(stream, &served).await {
                            tracing::debug!(%error, "a command went away");
                        }
                        drop(place);
                    });
                }
                // Such as no file descriptor left: commands wait, and say so in the end.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a command");
                    sleep(SILENCE).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Left behind, it does no harm: nobody answers there, and the next server replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve_command(stream: UnixStream, served: &Served) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(QUESTION.len(), stream);
    let mut said = [0; QUESTION.len()];
    timeout(
        SILENCE,
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut said),
    )
    .await??;
    // Where another file was put in place of ours, what the command has changed is not what we serve.
    if said != QUESTION.as_bytes() || identity(&served.file)? != served.identity {
        return Ok(());
    }
    served.node.catch_up().await;
    timeout(SILENCE, stream.write_all(ANSWER.as_bytes())).await?
}

/// Waits until the server that serves `file` has applied what this process changed in it.
///
/// # Errors
/// [`Error::Unavailable`] if it cannot be determined whether a server runs.
pub(crate) async fn confirm(file: &Path, held: &HeldFile) -> Result<Confirmation, Error> {
    let deadline = Instant::now() + PATIENCE;
    let socket = socket_path(file);
    while Instant::now() < deadline {
        let rest = deadline.saturating_duration_since(Instant::now());
        if matches!(timeout(rest, ask(&socket)).await, Ok(Ok(()))) {
            return Ok(Confirmation::Confirmed);
        }
        // Nobody answers: because nobody serves, or because one starts or ends just now.
        if !held.is_served(file)? {
            return Ok(Confirmation::Confirmed);
        }
        sleep(RETRY_AFTER).await;
    }
    Ok(Confirmation::NotConfirmed)
}

async fn ask(socket: &Path) -> std::io::Result<()> {
    let mut stream = BufReader::new(ShortPath::of(socket)?.connect().await?);
    stream.write_all(QUESTION.as_bytes()).await?;
    let mut said = String::new();
    stream.read_line(&mut said).await?;
    if said == ANSWER {
        Ok(())
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

/// Device and number of a file: what it is, whatever it is called.
fn identity(file: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(file)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn socket_path(file: &Path) -> PathBuf {
    beside(file, ".sock")
}

/// A path to a socket that is short enough for the system, whatever folders it lies in.
struct ShortPath {
    path: PathBuf,
    /// Open as long as the path is used.
    _folder: Option<fs::File>,
}

impl ShortPath {
    fn of(path: &Path) -> std::io::Result<Self> {
        #[cfg(target_os = "linux")]
        if path.as_os_str().len() > MOST_BYTES
            && let (Some(folder), Some(name)) = (path.parent(), path.file_name())
        {
            let folder = fs::File::open(folder)?;
            let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
            return Ok(Self {
                path: Path::new("/proc/self/fd")
                    .join(number.to_string())
                    .join(name),
                _folder: Some(folder),
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            _folder: None,
        })
    }

    fn bind(&self) -> std::io::Result<UnixListener> {
        UnixListener::bind(&self.path)
    }

    async fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(&self.path).await
    }
}

/// Its owner alone may connect.
fn restrict(path: &Path) -> std::io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
