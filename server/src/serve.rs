//! `latchkey serve`: start, background tasks, shutdown.

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
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
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
    single_sign_on::SingleSignOn,
    state::{AppState, Shared},
};

/// The time from a request until its use is written, including the write. A crash loses at most this much; `docs/behaviour.md` allows 5
/// seconds.
const USAGE_INTERVAL: Duration = Duration::from_secs(4);

/// The shortest time between the starts of two writes, however long they take.
const LEAST_USAGE_INTERVAL: Duration = Duration::from_secs(1);

/// The interval at which revoked keys beyond the limit of the list are archived.
const ARCHIVE_INTERVAL: Duration = Duration::from_secs(60);

/// The maximum number of archived batches per run, so that other maintenance is not delayed.
const ARCHIVED_BATCHES: u32 = 10;

/// The interval at which the server polls for changes by other tools. Commands do not wait for it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Serves until a stop signal, then finishes running requests and writes key usage.
///
/// # Errors
/// If the database cannot be opened, an address cannot be bound, or the last write fails.
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
            "control socket unavailable: commands will report their changes as not confirmed"
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
    let single_sign_on = SingleSignOn::from_config(&config);
    let state = AppState::from(Shared {
        single_sign_on,
        store: store.clone(),
        verifier: verifier.clone(),
        config: Arc::new(config),
        bundle: Arc::new(Assets::bundle()),
        drain: drain.clone(),
    });
    if state.bundle.script.is_none() {
        tracing::warn!(
            "browser bundle missing in this binary: pages have no style and script (`cargo xtask build` builds it)"
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
    let writer = spawn(run_flushes(store.clone(), verifier.clone(), ended.clone()));
    let tidier = spawn(run_maintenance(store.clone(), revoked_keys_kept, ended));
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
    tracing::info!("stopping: listeners closed, finishing running requests");
    drop(stop);
    // Before waiting: the service manager may kill the process before the requests finish.
    flush(&verifier).await;
    for server in servers {
        finish(server).await;
    }
    drop(end);
    finish(writer).await;
    finish(tidier).await;
    let written = verifier.flush().await;
    if let Err(error) = store.deregister().await {
        tracing::warn!(
            error = &error as &(dyn std::error::Error + 'static),
            "could not deregister replica; changes may take 1 s longer until the others remove it"
        );
    }
    // The control socket serves commands until the end.
    drop(background);
    written?;
    tracing::info!("stopped");
    Ok(())
}

/// Listens on `address`; returns the bound address, whose port differs for port 0.
async fn bind(variable: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error: std::io::Error| {
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            format!(": stop the program that listens there, or set {variable} to another address")
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

/// Identifies an open listener: boot, network namespace and address. An address has at most one listener in a namespace.
fn listener_id(address: SocketAddr) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{} {} {address}", boot.trim(), namespace.display()))
}

/// Writes usage at intervals, until `ended`. Nothing else runs between two flushes, because a last use is at most some seconds late.
async fn run_flushes(store: Store, verifier: Verifier, mut ended: watch::Receiver<()>) {
    let mut next_flush = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(next_flush) => {}
            _ = ended.changed() => return,
        }
        let started = Instant::now();
        flush(&verifier).await;
        next_flush = started + time_to_next_flush(started.elapsed());
        store.release_password_memory();
    }
}

/// Archives revoked keys and deletes old rows at intervals, until `ended`. A failed step is retried in the next run.
async fn run_maintenance(store: Store, revoked_keys_kept: u32, mut ended: watch::Receiver<()>) {
    let mut ticks = interval(USAGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut archived_at = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = ended.changed() => return,
        }
        let tidied = async {
            if archived_at.is_none_or(|at: Instant| at.elapsed() >= ARCHIVE_INTERVAL) {
                let is_done = archive(&store, revoked_keys_kept).await?;
                archived_at = is_done.then(Instant::now);
            }
            store.prune_change_log().await?;
            store.forget_old_usage(today(clock::now())).await
        };
        // A stop does not wait for a run: every step is a transaction of its own and is repeated.
        let tidied = tokio::select! {
            tidied = tidied => tidied,
            _ = ended.changed() => return,
        };
        if let Err(error) = tidied {
            tracing::warn!(
                error = &error as &(dyn std::error::Error + 'static),
                "maintenance failed: old rows are not archived or deleted"
            );
        }
    }
}

/// The time between the starts of two flushes, if the next one takes as long as this one.
fn time_to_next_flush(duration: Duration) -> Duration {
    USAGE_INTERVAL
        .saturating_sub(duration)
        .max(LEAST_USAGE_INTERVAL)
}

/// Archives revoked keys; whether none are left to archive.
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
            "usage flush failed: counters are kept and written later"
        );
    }
}

/// Polls for changes by other tools, without end.
async fn poll_changes(store: Store) {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        store.poll_changes().await;
    }
}

/// Tasks that are aborted on drop.
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
        tracing::error!(%error, "server task failed");
    }
}

/// The way in which the process stops after a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Drain first, so that proxies stop sending requests.
    AfterDrain,
    /// Ctrl-C at a terminal.
    AtOnce,
}

/// The stop signals.
struct StopSignals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Installs the handlers, which replace the default actions.
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
