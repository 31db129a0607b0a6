//! The log line of a change.

use uuid::Uuid;

/// The fields of the log line of one audit event: identifiers only, neither names nor addresses.
#[derive(Debug)]
pub(crate) struct ChangeLine {
    pub(crate) event_id: Uuid,
    pub(crate) action: &'static str,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) target_kind: String,
    pub(crate) target_id: Option<Uuid>,
    pub(crate) actor_kind: &'static str,
    /// `None` for the command line.
    pub(crate) actor_id: Option<Uuid>,
}

macro_rules! line {
    ($level:ident, $line:expr, $message:literal) => {
        tracing::$level!(
            action = $line.action,
            target_kind = $line.target_kind,
            target_id = $line.target_id.map(tracing::field::display),
            tenant_id = $line.tenant_id.map(tracing::field::display),
            actor_kind = $line.actor_kind,
            actor_id = $line.actor_id.map(tracing::field::display),
            event_id = %$line.event_id,
            $message
        )
    };
}

impl ChangeLine {
    pub(crate) fn committed(&self) {
        line!(info, self, "change committed");
    }

    pub(crate) fn unknown(&self) {
        line!(
            warn,
            self,
            "change not confirmed by the database: outcome unknown"
        );
    }
}
