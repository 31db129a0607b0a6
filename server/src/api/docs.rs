//! `/api/docs`: the document as a page for people. It has no script and fetches its own stylesheet and nothing else.

use std::{fmt::Write as _, sync::LazyLock};

use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::Value;

use super::document::DOCUMENT;
use crate::content_coding::compressible;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
);
/// How many methods OpenAPI knows.
const EVERY_METHOD: usize = 8;
const STYLE: &str = include_str!("docs/style.css");

static PAGE: LazyLock<Bytes> = LazyLock::new(|| page(&DOCUMENT).into());

/// `GET /api/docs`
pub(crate) async fn read_docs() -> Response {
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    compressible((headers, Html(PAGE.clone())).into_response())
}

/// `GET /api/docs/style.css`
pub(crate) async fn read_style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], STYLE).into_response()
}

fn page(document: &Value) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Latchkey API</title><link rel=\"stylesheet\" href=\"/api/docs/style.css\"></head><body><main>\
         <h1>Latchkey API</h1>",
    );
    let mut write = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = html.write_fmt(text);
    };
    write(format_args!(
        "<p>{}</p><p>Send the key in the header <code>X-API-Key</code>. For programs: <a href=\"/api/v1/openapi.json\">openapi.json</a>.</p>",
        prose(&document["info"]["description"])
    ));
    for (path, operations) in members(&document["paths"]) {
        let mut methods: Vec<_> = members(operations).collect();
        let mut word = None;
        // Where any method will do, all are the same.
        if methods.len() == EVERY_METHOD {
            methods.retain(|(method, _)| *method == "get");
            word = Some("any method");
        }
        for (method, operation) in methods {
            write(format_args!(
                "{}",
                section(path, word.unwrap_or(&method.to_uppercase()), operation)
            ));
        }
    }
    write(format_args!("<h2>Shapes</h2>"));
    for (name, schema) in members(&document["components"]["schemas"]) {
        write(format_args!(
            "<section id=\"{0}\"><h3>{0}</h3><p>{1}</p>{2}</section>",
            escape(name),
            prose(&schema["description"]),
            shape(schema)
        ));
    }
    write(format_args!("</main></body></html>"));
    html
}

fn section(path: &str, method: &str, operation: &Value) -> String {
    let mut html = format!(
        "<section><h2><code>{} {}</code></h2><p><strong>{}</strong> {}</p>",
        escape(method),
        escape(path),
        prose(&operation["summary"]),
        prose(&operation["description"]),
    );
    if let Some(permission) = operation["x-permission"].as_str() {
        let _ = write!(
            html,
            "<p>Permission: <code>{}</code></p>",
            escape(permission)
        );
    }
    let rows: Vec<_> = items(&operation["parameters"])
        .map(|parameter| {
            let place = parameter["in"].as_str().unwrap_or_default();
            let name = parameter["name"].as_str().unwrap_or_default();
            (
                format!("{name} ({place})"),
                kind(&parameter["schema"]),
                prose(&parameter["description"]),
            )
        })
        .collect();
    html.push_str(&table("Parameters", &rows));
    for (media_type, content) in members(&operation["requestBody"]["content"]) {
        let _ = write!(
            html,
            "<p>Body: <code>{}</code>, {}</p>",
            escape(media_type),
            kind(&content["schema"])
        );
    }
    let rows: Vec<_> = members(&operation["responses"])
        .map(|(status, response)| {
            let shape = members(&response["content"])
                .next()
                .map(|(_, content)| kind(&content["schema"]))
                .unwrap_or_default();
            (status.to_owned(), shape, prose(&response["description"]))
        })
        .collect();
    html.push_str(&table("Answers", &rows));
    html.push_str("</section>");
    html
}

/// The fields of a schema, those that are put together from several too.
fn shape(schema: &Value) -> String {
    let parts = ["allOf", "oneOf"]
        .into_iter()
        .flat_map(|name| items(&schema[name]));
    let mut html = String::new();
    let mut is_alone = true;
    for part in parts {
        is_alone = false;
        html.push_str(&if part.get("properties").is_some() {
            shape(part)
        } else {
            format!("<p>{}</p>", kind(part))
        });
    }
    let required: Vec<_> = items(&schema["required"])
        .filter_map(Value::as_str)
        .collect();
    let rows: Vec<_> = members(&schema["properties"])
        .map(|(name, property)| {
            let optional = if required.contains(&name) {
                ""
            } else {
                " (optional)"
            };
            (
                format!("{name}{optional}"),
                kind(property),
                prose(&property["description"]),
            )
        })
        .collect();
    if rows.is_empty() && is_alone {
        return format!("<p>{}</p>", kind(schema));
    }
    html + &table("Fields", &rows)
}

/// What a value of a schema looks like, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    let several: Vec<_> = ["oneOf", "allOf"]
        .into_iter()
        .flat_map(|name| items(&schema[name]))
        .map(kind)
        .collect();
    if !several.is_empty() {
        return several.join(" or ");
    }
    let words: Vec<_> = items(&schema["enum"])
        .filter_map(Value::as_str)
        .map(|word| format!("<code>{}</code>", escape(word)))
        .collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    let mut text = match &schema["type"] {
        Value::String(kind) => escape(kind),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .map(escape)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    };
    if let Some(format) = schema["format"].as_str() {
        let _ = write!(text, " ({})", escape(format));
    }
    if schema["items"].is_object() {
        let _ = write!(text, " of {}", kind(&schema["items"]));
    }
    text
}

fn table(caption: &str, rows: &[(String, String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut html = format!("<table><caption>{}</caption><tbody>", escape(caption));
    for (name, kind, description) in rows {
        let _ = write!(
            html,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{kind}</td><td>{description}</td></tr>",
            escape(name)
        );
    }
    html.push_str("</tbody></table>");
    html
}

/// A sentence of a doc comment: what stands between backquotes is code.
fn prose(text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escape(part);
        if index % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(&part);
        }
    }
    html
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
