//! `latchkey audit …`

use clap::Subcommand;
use domain::audit::AuditEvent;
use url::form_urlencoded::Serializer;

use super::context::CommandContext;
use crate::{
    api::query::parse_audit_query,
    failure::Failure,
    output::{Row, minute},
};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List the audit events of a tenant, newest first
    List {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Only this action, e.g. api_key.revoked
        #[arg(long)]
        action: Option<String>,
        /// Only what the user or key of this id did; cli for the command line
        #[arg(long, value_name = "ID|cli")]
        actor: Option<String>,
        /// Only what was done to this key
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Only from this time on; a date means its beginning (UTC)
        #[arg(long, value_name = "DATE|TIME")]
        from: Option<String>,
        /// Only before this time; a date means its end (UTC)
        #[arg(long, value_name = "DATE|TIME")]
        to: Option<String>,
        /// How many events, 1 to 100 [default: 25]
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        limit: Option<String>,
        /// Continue after an earlier list, by the cursor that it printed
        #[arg(long)]
        cursor: Option<String>,
    },
}

impl Row for AuditEvent {
    const HEADINGS: &'static [&'static str] = &["TIME (UTC)", "ACTION", "ACTOR", "TARGET", "FROM"];

    fn cells(&self) -> Vec<String> {
        vec![
            minute(self.at),
            self.action.as_str().to_owned(),
            self.actor.name.clone(),
            self.target.name.clone(),
            self.client_ip.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }
}

impl AuditCommand {
    pub(super) async fn run(self, context: &CommandContext) -> Result<(), Failure> {
        let Self::List {
            tenant,
            action,
            actor,
            key,
            from,
            to,
            limit,
            cursor,
        } = self;
        let filters = [
            ("action", action),
            ("actor", actor),
            ("key_id", key),
            ("from", from),
            ("to", to),
            ("limit", limit),
            ("cursor", cursor),
        ];
        // The API's parser, so that both accept the same values.
        let mut query = Serializer::new(String::new());
        for (name, value) in &filters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = parse_audit_query(&query.finish())?;
        let scope = context.tenant(&tenant).await?;
        let page = context.store.audit(&scope).list(&query).await?;
        context.output.page(&page, "No event matches.")
    }
}
