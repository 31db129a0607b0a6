//! The control socket: a Unix socket beside the SQLite file over which a command waits until the running server has applied its change.
//!
//! The command sends one line; the server applies every committed change and replies with one line. Neither line carries data: a client
//! that can open the socket can only make the server read its change log. Only the file's owner may open it.

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

/// The two lines of the protocol. They must not change, so that a command and a server of different releases work together.
const REQUEST: &str = "have you noticed?\n";
const REPLY: &str = "noticed\n";

/// Maximum time that a command waits for the server.
const PATIENCE: Duration = Duration::from_secs(3);
/// Maximum time that the server waits for a request, and for the reply to be read.
const SILENCE: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// Number of commands that are served at once; further ones wait to be accepted.
const MOST_AT_ONCE: usize = 16;
/// Maximum length of a socket's path in bytes, without the final zero: `sun_path` of unix(7).
const MOST_BYTES: usize = 107;

/// Whether a change is in force for later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It is in force: the server has applied it, no server runs, or none caches.
    Confirmed,
    /// It is committed, but the running server did not confirm it.
    NotConfirmed,
}

/// The server's side. When dropped, it removes the socket.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    served: Served,
}

/// The database that this process serves.
#[derive(Clone, Debug)]
struct Served {
    file: PathBuf,
    /// Device and inode of the file when it was opened.
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
        // The socket gets its final name after its permissions are set; it then replaces one that a crash left behind.
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

    /// Serves commands. Never returns.
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
                            tracing::debug!(%error, "control socket: command disconnected");
                        }
                        drop(place);
                    });
                }
                // For example, no file descriptor is free: commands wait and time out.
                Err(error) => {
                    tracing::warn!(%error, "control socket: cannot accept a command");
                    sleep(SILENCE).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A socket that remains is harmless, because the next server replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve_command(stream: UnixStream, served: &Served) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(REQUEST.len(), stream);
    let mut request = [0; REQUEST.len()];
    timeout(
        SILENCE,
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut request),
    )
    .await??;
    // If the file was replaced, the command changed another database than the served one.
    if request != REQUEST.as_bytes() || identity(&served.file)? != served.identity {
        return Ok(());
    }
    served.node.catch_up().await;
    timeout(SILENCE, stream.write_all(REPLY.as_bytes())).await?
}

/// Waits until the server that serves `file` has applied the changes of this process.
///
/// # Errors
/// [`Error::Unavailable`] if it cannot be determined whether a server runs.
pub(crate) async fn confirm(file: &Path, held: &HeldFile) -> Result<Confirmation, Error> {
    let deadline = Instant::now() + PATIENCE;
    let socket = socket_path(file);
    while Instant::now() < deadline {
        let rest = deadline.saturating_duration_since(Instant::now());
        if matches!(timeout(rest, request(&socket)).await, Ok(Ok(()))) {
            return Ok(Confirmation::Confirmed);
        }
        // Without a reply, no server runs, or one is starting or stopping.
        if !held.is_served(file)? {
            return Ok(Confirmation::Confirmed);
        }
        sleep(RETRY_AFTER).await;
    }
    Ok(Confirmation::NotConfirmed)
}

async fn request(socket: &Path) -> std::io::Result<()> {
    let mut stream = BufReader::new(ShortPath::of(socket)?.connect().await?);
    stream.write_all(REQUEST.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_line(&mut reply).await?;
    if reply == REPLY {
        Ok(())
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

/// Device and inode of a file.
fn identity(file: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(file)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn socket_path(file: &Path) -> PathBuf {
    beside(file, ".sock")
}

/// A path to a socket that fits into `sun_path`, whatever the depth of its folder.
struct ShortPath {
    path: PathBuf,
    /// Must stay open while the path is used.
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

/// Permits only the owner to connect.
fn restrict(path: &Path) -> std::io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
