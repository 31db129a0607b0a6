//! `GET /audit-log/export.csv` and `export.jsonl`: the events that the page's filters select, streamed.
//!
//! Each step reads a thousand events and then releases its connection. An export of any length needs the memory of one step and does not
//! block other lists of the tenant.

use std::{borrow::Cow, io};

use app::{
    audit_log::{self, query::AuditLogQuery},
    error::ErrorCode,
    ssr::{self, RequestContext},
    urls,
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use domain::{
    audit::{AuditEntry, AuditEvent, AuditQuery},
    store::{Store, TenantScope},
};
use futures_util::{Stream, stream};
use http::{HeaderValue, header};
use url::form_urlencoded;

use super::render::context_of;
use crate::state::AppState;

/// A format of the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

impl Format {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

/// `GET /audit-log/export.csv`.
pub(crate) async fn export_csv(State(state): State<AppState>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    export(context_of(&state, &request), query, Format::Csv).await
}

/// `GET /audit-log/export.jsonl`.
pub(crate) async fn export_json_lines(State(state): State<AppState>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    export(context_of(&state, &request), query, Format::JsonLines).await
}

async fn export(context: RequestContext, query: String, format: Format) -> Response {
    let parameter = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
    };
    let tenant = parameter("tenant");
    let filters = AuditLogQuery::new(parameter);
    match open(&context, &filters, tenant.as_deref()).await {
        Ok((scope, query)) => {
            let name = format!(
                "audit-log-{}-{}.{}",
                scope.tenant().slug,
                context.now.date_naive(),
                format.extension()
            );
            let events = events(context.store.clone(), scope, query, format);
            let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
            let mut response = Body::from_stream(events).into_response();
            let headers = response.headers_mut();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static(format.content_type()),
            );
            headers.insert(
                header::CACHE_CONTROL,
                HeaderValue::from_static("private, no-store"),
            );
            if let Ok(disposition) = disposition {
                headers.insert(header::CONTENT_DISPOSITION, disposition);
            }
            response
        }
        Err(error) if error.code == ErrorCode::NotSignedIn => {
            let here = filters.url(&urls::TenantQuery(tenant), urls::AUDIT_LOG);
            Redirect::to(&urls::sign_in(&here)).into_response()
        }
        Err(error) if error.code == ErrorCode::SecondFactorNeeded => {
            Redirect::to(urls::SECOND_FACTOR).into_response()
        }
        Err(error) => (ssr::status_of(error.code), format!("{}\n", error.message)).into_response(),
    }
}

/// Opens the export of the events that the query selects. An invalid date is an error here, because a file does not show that a filter was
/// ignored.
async fn open(
    context: &RequestContext,
    filters: &AuditLogQuery,
    tenant: Option<&str>,
) -> Result<(TenantScope, AuditQuery), app::error::AppError> {
    let scope = ssr::tenant_request_of(context, tenant).await?.scope;
    for (field, day) in [("from", filters.first_day()), ("to", filters.last_day())] {
        day.map_err(|message| domain::Error::invalid(field, message))?;
    }
    let query = audit_log::query_of(&context.store, &scope, filters).await?;
    Ok((scope, query))
}

/// The position of an export.
struct Export {
    store: Store,
    scope: TenantScope,
    query: AuditQuery,
    format: Format,
    last: Option<AuditEvent>,
}

/// The stream of the export, one piece per step. After a failure the connection ends without the last chunk, so that the client detects the
/// incomplete file.
fn events(
    store: Store,
    scope: TenantScope,
    query: AuditQuery,
    format: Format,
) -> impl Stream<Item = io::Result<Bytes>> {
    let export = Export {
        store,
        scope,
        query,
        format,
        last: None,
    };
    stream::try_unfold(Some(export), |export| async {
        let Some(mut export) = export else {
            return Ok(None);
        };
        let is_first = export.last.is_none();
        let log = export.store.audit(&export.scope);
        let step = log.export_step(&export.query, export.last.as_ref()).await;
        let entries = step.map_err(|error| {
            tracing::error!(%error, "audit log export: reading events failed");
            io::Error::other(error)
        })?;
        let text = export.format.write(&entries, is_first)?;
        let Some(last) = entries.into_iter().next_back() else {
            // A table without rows still has its head.
            return Ok((!text.is_empty()).then(|| (Bytes::from(text), None)));
        };
        export.last = Some(last.event);
        Ok(Some((Bytes::from(text), Some(export))))
    })
}

impl Format {
    fn write(self, entries: &[AuditEntry], is_first: bool) -> io::Result<Vec<u8>> {
        match self {
            Self::Csv => write_csv(entries, is_first),
            Self::JsonLines => {
                let mut lines = Vec::new();
                for entry in entries {
                    serde_json::to_writer(&mut lines, entry)?;
                    lines.push(b'\n');
                }
                Ok(lines)
            }
        }
    }
}

const COLUMNS: [&str; 14] = [
    "id",
    "at",
    "action",
    "actor_type",
    "actor_id",
    "actor_name",
    "target_type",
    "target_id",
    "target_name",
    "changes",
    "client_ip",
    "receipt_replicas",
    "receipt_refused_on",
    "receipt_after_ms",
];

fn write_csv(entries: &[AuditEntry], is_first: bool) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if is_first {
        writer.write_record(COLUMNS)?;
    }
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    for AuditEntry { event, receipt, .. } in entries {
        let propagation = receipt.map(|receipt| receipt.propagation);
        let number =
            |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let cells = [
            event.id.to_string(),
            event
                .at
                .to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            event.action.as_str().to_owned(),
            event.actor.kind.as_str().to_owned(),
            id(event.actor.id),
            event.actor.name.clone(),
            event.target.kind.clone(),
            id(event.target.id),
            event.target.name.clone(),
            event.changes.to_string(),
            event.client_ip.clone().unwrap_or_default(),
            number(propagation.map(|propagation| propagation.replicas.into())),
            number(propagation.map(|propagation| propagation.refused_on.into())),
            number(propagation.map(|propagation| propagation.after_ms)),
        ];
        writer.write_record(cells.iter().map(|cell| without_formula(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error())
}

/// Prefixes an apostrophe to a cell that a spreadsheet would evaluate as a formula.
fn without_formula(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::without_formula;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(without_formula(cell), format!("'{cell}"));
        }
        for cell in ["", "ERP", " =1", "a=b"] {
            assert_eq!(without_formula(cell), cell);
        }
    }
}
