//! Limits the log lines that clients can cause without a session or an accepted key, so that they cannot fill the log.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Level, level_filters::LevelFilter};

/// The limit per minute on lines that anonymous clients cause in normal operation, such as a line per refused request.
pub const REQUEST_LINES: u32 = 600;

/// The limit per minute on lines that only a defect, a wrong setting or an attack causes, such as a line per cross-site request.
pub const FAULT_LINES: u32 = 60;

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(60);

/// The limit on one kind of log line, over all clients. Each kind has its own, so that a frequent kind does not hide a rare one.
pub struct LogLimit {
    kind: &'static str,
    level: Level,
    per_minute: u32,
    window_length: Duration,
    window: Mutex<Option<Window>>,
}

/// Lines about requests that failed because the database was unavailable.
pub static DATABASE_UNAVAILABLE: LogLimit =
    LogLimit::new("database unavailable", Level::WARN, FAULT_LINES);

/// The lines since the window was opened.
#[derive(Clone, Copy, Debug)]
struct Window {
    opened: Instant,
    written: u32,
    suppressed: u64,
}

/// The decision on one line.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// The line is written; so many were suppressed in the last window.
    Write { suppressed_before: u64 },
    /// The line is the first one that is suppressed in its window, which ends after this time.
    SuppressFirst(Duration),
    /// The line is suppressed.
    Suppress,
}

impl LogLimit {
    /// A limit of `per_minute` lines of this level. `kind` names the lines in the log.
    #[must_use]
    pub const fn new(kind: &'static str, level: Level, per_minute: u32) -> Self {
        Self {
            kind,
            level,
            per_minute,
            window_length: WINDOW,
            window: Mutex::new(None),
        }
    }

    /// Whether the caller may write its line. Logs that lines are suppressed, and their number when the minute ends.
    pub fn admits_line(&'static self) -> bool {
        self.level <= LevelFilter::current() && self.count_line()
    }

    /// [`Self::admits_line`] for a line that the log's level includes.
    fn count_line(&'static self) -> bool {
        match self.decide(Instant::now()) {
            Decision::Write { suppressed_before } => {
                self.report(suppressed_before);
                true
            }
            Decision::SuppressFirst(left) => {
                tracing::warn!(
                    kind = self.kind,
                    per_minute = self.per_minute,
                    "log limit reached: further lines of this kind are suppressed until the minute ends"
                );
                // Outside a runtime, the next line reports the number.
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(async move {
                        tokio::time::sleep(left).await;
                        let suppressed = self.close(&mut self.lock(), Instant::now());
                        self.report(suppressed);
                    });
                }
                false
            }
            Decision::Suppress => false,
        }
    }

    fn decide(&self, now: Instant) -> Decision {
        let mut window = self.lock();
        let suppressed_before = self.close(&mut window, now);
        let window = window.get_or_insert(Window {
            opened: now,
            written: 0,
            suppressed: 0,
        });
        if window.written < self.per_minute {
            window.written += 1;
            return Decision::Write { suppressed_before };
        }
        window.suppressed += 1;
        if window.suppressed == 1 {
            Decision::SuppressFirst(
                self.window_length
                    .saturating_sub(now.duration_since(window.opened)),
            )
        } else {
            Decision::Suppress
        }
    }

    /// Closes the window if it has ended. Returns the number of its suppressed lines.
    fn close(&self, window: &mut Option<Window>, now: Instant) -> u64 {
        let ended =
            window.take_if(|window| now.duration_since(window.opened) >= self.window_length);
        ended.map_or(0, |window| window.suppressed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Window>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, suppressed: u64) {
        if suppressed > 0 {
            tracing::warn!(kind = self.kind, suppressed, "log lines suppressed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_flood_is_logged_in_part_and_counted_when_the_minute_ends() {
        let limit = LogLimit::new("test", Level::INFO, 3);
        let write = |suppressed_before| Decision::Write { suppressed_before };
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(limit.decide(start), write(0));
        }
        let later = start + SECOND * 20;
        assert_eq!(limit.decide(later), Decision::SuppressFirst(SECOND * 40));
        for _ in 0..6 {
            assert_eq!(limit.decide(later), Decision::Suppress);
        }
        assert_eq!(limit.close(&mut limit.lock(), start + SECOND * 59), 0);
        assert_eq!(limit.decide(start + WINDOW), write(7));
        assert_eq!(limit.decide(start + WINDOW), write(0));
    }

    #[test]
    fn the_end_of_a_window_is_reported_once() {
        let limit = LogLimit::new("test", Level::INFO, 0);
        let start = Instant::now();
        assert_eq!(limit.decide(start), Decision::SuppressFirst(WINDOW));
        assert_eq!(limit.close(&mut limit.lock(), start + WINDOW), 1);
        assert_eq!(limit.close(&mut limit.lock(), start + WINDOW), 0);
    }

    #[tokio::test]
    async fn a_window_is_reported_when_it_ends_without_another_line() {
        static LIMIT: LogLimit = LogLimit {
            window_length: Duration::from_millis(20),
            ..LogLimit::new("test", Level::INFO, 0)
        };
        assert!(!LIMIT.count_line());
        assert_eq!(LIMIT.lock().map(|window| window.suppressed), Some(1));
        let closed = async {
            while LIMIT.lock().is_some() {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, closed).await.expect("reported");
    }

    #[test]
    fn limits_are_independent() {
        let (one, other) = (
            LogLimit::new("one", Level::INFO, 1),
            LogLimit::new("other", Level::INFO, 1),
        );
        let now = Instant::now();
        assert_ne!(one.decide(now), Decision::Suppress);
        assert_eq!(one.decide(now), Decision::SuppressFirst(WINDOW));
        assert_eq!(
            other.decide(now),
            Decision::Write {
                suppressed_before: 0
            }
        );
    }
}
