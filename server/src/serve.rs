//! `latchkey serve`: what runs while it runs, and how it ends.

mod connection_slots;
mod connections;
mod lingering;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use domain::{Error, client_address::TrustedProxies, key::today, store::Store, verify::Verifier};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::{
    assets::Assets,
    clock,
    config::Config,
    database::open_store,
    demo::Demo,
    drain::Drain,
    failure::Failure,
    metrics,
    output::Output,
    router,
    state::{AppState, Shared},
};

/// How often what was used is written; a crash loses no more than that. The specification allows 5 seconds.
const USAGE_INTERVAL: Duration = Duration::from_secs(3);

/// How often it is looked whether a tenant has more revoked keys than are listed.
const ARCHIVE_INTERVAL: Duration = Duration::from_secs(60);

/// How many batches of each tenant's are archived before something else has its turn.
const ARCHIVED_BATCHES: u32 = 10;

/// How often it is looked for what somebody changed by hand. The command line does not wait for it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Serves until the process is told to end, then finishes what runs and writes when keys were last used.
///
/// # Errors
/// Where the database or an address cannot be had, or the last write fails.
pub(crate) async fn serve(mut config: Config, demo: bool, output: Output) -> Result<(), Failure> {
    let mut stop_signals = StopSignals::listen()?;
    let demo = demo.then(|| Demo::prepare(&mut config)).transpose()?;
    let store = open_store(&config, true).await?;
    let verifier = Verifier::new(store.clone());
    let mut background = BackgroundTasks::default();
    match store.open_control_socket() {
        Ok(Some(socket)) => background.spawn(socket.serve()),
        Ok(None) => {}
        Err(error) => tracing::warn!(
            %error,
            "cannot listen beside the database: commands will say that what they changed is not confirmed"
        ),
    }
    background.spawn(poll_changes(store.clone()));
    let (listener, address) = bind("LATCHKEY_LISTEN", config.listen).await?;
    if let Some(id) = listener_id(address) {
        store.set_place(id);
    }
    let metrics = match config.metrics_listen {
        Some(address) => Some(bind("LATCHKEY_METRICS_LISTEN", address).await?),
        None => None,
    };

    let (stop, stopped) = watch::channel(());
    let (drain, drain_time) = (Drain::default(), config.drain);
    let mut servers = Vec::new();
    if let Some((listener, address)) = metrics {
        let router = metrics::router(store.clone(), verifier.clone(), clock::now());
        servers.push(spawn(connections::accept(
            listener,
            router,
            TrustedProxies::default(),
            stopped.clone(),
            drain.clone(),
        )));
        tracing::info!("Metrics are on http://{address}/metrics");
    }
    let url = config.public_url.as_ref().map_or_else(
        || format!("http://{address}"),
        |url| url.origin().ascii_serialization(),
    );
    let proxies = config.trusted_proxies.clone();
    let revoked_keys_kept = config.revoked_keys_kept;
    let state = AppState::from(Shared {
        store: store.clone(),
        verifier: verifier.clone(),
        config: Arc::new(config),
        bundle: Arc::new(Assets::bundle()),
        drain: drain.clone(),
    });
    if state.bundle.script.is_none() {
        tracing::warn!(
            "this binary was built without the browser's bundle: pages come without style and script (`cargo xtask build` makes it)"
        );
    }
    let router = router::router(state);
    servers.push(spawn(connections::accept(
        listener,
        router,
        proxies,
        stopped.clone(),
        drain.clone(),
    )));
    let (end, ended) = watch::channel(());
    let writer = spawn(run_maintenance(
        store.clone(),
        verifier.clone(),
        revoked_keys_kept,
        ended,
    ));
    if let Some(demo) = &demo {
        demo.fill(&store, &verifier, clock::now())
            .await?
            .print(output, &url)?;
    }
    tracing::info!("Latchkey is ready on http://{address}");

    if stop_signals.wait().await == Stop::AfterDrain && !drain_time.is_zero() {
        drain.begin();
        tracing::info!(
            seconds = drain_time.as_secs(),
            "draining: /readyz answers 503, requests are still served"
        );
        tokio::select! {
            () = sleep(drain_time) => {}
            _ = stop_signals.wait() => {}
        }
    }
    tracing::info!("stopping: no new connections, finishing what runs");
    drop(stop);
    // At once: whoever sent the signal may not wait for the requests that still run.
    flush(&verifier).await;
    for server in servers {
        finish(server).await;
    }
    drop(end);
    finish(writer).await;
    let written = verifier.flush().await;
    if let Err(error) = store.deregister().await {
        tracing::warn!(
            error = &error as &(dyn std::error::Error + 'static),
            "could not deregister replica; changes may take 1 s longer until the others remove it"
        );
    }
    // Commands are answered as long as anything was served.
    drop(background);
    written?;
    tracing::info!("stopped");
    Ok(())
}

/// Listens on `address` and returns the address that it became: port 0 is any free one.
async fn bind(variable: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error: std::io::Error| {
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            format!(": stop what listens there, or set {variable} to another address")
        } else {
            String::new()
        };
        Failure::new(format!(
            "{variable}: cannot listen on {address}: {error}{hint}"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// A name for an open listener. Within one network namespace of a running system, an address has one listener at a time.
fn listener_id(address: SocketAddr) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{} {} {address}", boot.trim(), namespace.display()))
}

/// Writes every few seconds which keys were used and which refused, and deletes what is too old or has done its work, until told to
/// stop. What fails is kept and tried again the next time.
async fn run_maintenance(
    store: Store,
    verifier: Verifier,
    revoked_keys_kept: u32,
    mut ended: watch::Receiver<()>,
) {
    let mut ticks = interval(USAGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut archived_at = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = ended.changed() => return,
        }
        flush(&verifier).await;
        store.release_password_memory();
        let tidied = async {
            if archived_at.is_none_or(|at: Instant| at.elapsed() >= ARCHIVE_INTERVAL) {
                let is_done = archive(&store, revoked_keys_kept).await?;
                archived_at = is_done.then(Instant::now);
            }
            store.prune_change_log().await?;
            store.forget_old_usage(today(clock::now())).await
        };
        if let Err(error) = tidied.await {
            tracing::warn!(
                error = &error as &(dyn std::error::Error + 'static),
                "cannot archive or delete what is too old"
            );
        }
    }
}

/// Archives revoked keys; whether there is nothing more to do for now.
async fn archive(store: &Store, kept: u32) -> Result<bool, Error> {
    for _ in 0..ARCHIVED_BATCHES {
        if !store.archive_revoked_keys(kept, clock::now()).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn flush(verifier: &Verifier) {
    if let Err(error) = verifier.flush().await {
        tracing::warn!(
            error = &error as &(dyn std::error::Error + 'static),
            "cannot write how keys were used"
        );
    }
}

/// Looks every second for what somebody changed by hand, for ever.
async fn poll_changes(store: Store) {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        store.poll_changes().await;
    }
}

/// Tasks that end when this is dropped.
#[derive(Default)]
struct BackgroundTasks(Vec<JoinHandle<()>>);

impl BackgroundTasks {
    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.push(spawn(work));
    }
}

impl Drop for BackgroundTasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

async fn finish(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a task of the server ended early");
    }
}

/// How the process ends after a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// A service manager stops it: proxies are given time to notice.
    AfterDrain,
    /// Somebody at a terminal idle for it.
    AtOnce,
}

/// The signals that end the process.
struct StopSignals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From here on the signals end the process no longer by themselves.
    fn listen() -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("cannot listen for signals: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            hangup: signal(SignalKind::hangup()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    async fn wait(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::AfterDrain,
            _ = self.hangup.recv() => Stop::AfterDrain,
            _ = self.interrupt.recv() => Stop::AtOnce,
        }
    }
}
