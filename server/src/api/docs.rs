//! `/api/docs`: the OpenAPI document as a page of `app`, without script.

use std::{collections::BTreeMap, fmt::Write as _};

use app::api_docs::ApiReference;
use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use leptos::prelude::provide_context;
use serde_json::Value;

use super::error::PROBLEM_KINDS;
use crate::{pages::render::render, state::AppState};

/// The number of methods that the document lists for a route of any method.
const EVERY_METHOD: usize = 7;

/// `GET /api/docs`
pub(crate) async fn read_docs(
    State(state): State<AppState>,
    Extension(reference): Extension<ApiReference>,
    request: Request,
) -> Response {
    render(&state, request, move || provide_context(reference.clone())).await
}

/// A section of the page.
struct Entry<'a> {
    anchor: String,
    tag: &'a str,
    method: String,
    path: &'a str,
    operation: &'a Value,
}

/// The sections; a route of any method has one.
fn entries(document: &Value) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for (path, operations) in members(&document["paths"]) {
        let methods: Vec<_> = members(operations).collect();
        let takes_any = methods.len() == EVERY_METHOD;
        for (method, operation) in methods {
            if takes_any && method != "get" {
                continue;
            }
            let id = operation["operationId"].as_str().unwrap_or(path);
            entries.push(Entry {
                anchor: if takes_any {
                    id.trim_end_matches("_get").to_owned()
                } else {
                    id.to_owned()
                },
                tag: items(&operation["tags"])
                    .next()
                    .and_then(Value::as_str)
                    .unwrap_or("Other"),
                method: if takes_any {
                    "any".to_owned()
                } else {
                    method.to_uppercase()
                },
                path,
                operation,
            });
        }
    }
    entries.sort_by_key(|entry| entry.tag);
    entries
}

/// Renders the OpenAPI document.
pub(crate) fn render_reference(document: &Value) -> ApiReference {
    let entries = entries(document);
    ApiReference {
        contents: contents(&entries, document).into(),
        body: body(&entries, document).into(),
    }
}

fn body(entries: &[Entry<'_>], document: &Value) -> String {
    let mut html = format!(
        "<p>{} Send the key in the header <code>X-API-Key</code>. \
         In the examples, <code>$LATCHKEY</code> is the address of this server, <code>$KEY</code> a secret and <code>$KEY_ID</code> the identifier of a key.</p>",
        prose(&document["info"]["description"])
    );
    let mut tag = "";
    for entry in entries {
        if entry.tag != tag {
            tag = entry.tag;
            let _ = write!(html, "<h2 id=\"{}\">{}</h2>", tag_anchor(tag), escape(tag));
        }
        html.push_str(&section(entry));
    }
    html.push_str(&codes());
    html.push_str(&permissions(entries));
    html.push_str("<h2 id=\"shapes\">Shapes</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let _ = write!(
            html,
            "<section><h3 id=\"{0}\">{0}</h3><p>{1}</p>{2}</section>",
            escape(name),
            prose(&schema["description"]),
            shape(schema)
        );
    }
    html
}

/// The anchor of a group of routes.
fn tag_anchor(tag: &str) -> String {
    format!("routes-{}", tag.to_lowercase().replace(' ', "-"))
}

fn contents(entries: &[Entry<'_>], document: &Value) -> String {
    let mut html = String::from("<ul>");
    let mut tag = "";
    for entry in entries {
        if entry.tag != tag {
            if !tag.is_empty() {
                html.push_str("</ul></li>");
            }
            tag = entry.tag;
            let _ = write!(
                html,
                "<li><a href=\"#{}\">{}</a><ul>",
                tag_anchor(tag),
                escape(tag)
            );
        }
        let _ = write!(
            html,
            "<li><a href=\"#{}\">{}</a></li>",
            escape(&entry.anchor),
            prose(&entry.operation["summary"])
        );
    }
    html.push_str(
        "</ul></li><li><a href=\"#codes\">Codes of problems</a></li><li><a href=\"#permissions\">Permissions</a></li>\
         <li><a href=\"#shapes\">Shapes</a><ul>",
    );
    for (name, _) in members(&document["components"]["schemas"]) {
        let _ = write!(html, "<li><a href=\"#{0}\">{0}</a></li>", escape(name));
    }
    html.push_str("</ul></li></ul>");
    html
}

/// The table of problem codes.
fn codes() -> String {
    let rows: Vec<_> = PROBLEM_KINDS
        .iter()
        .map(|kind| {
            (
                kind.code.to_owned(),
                kind.status.as_u16().to_string(),
                format!("{}. {}", escape(kind.title), prose(&kind.remedy.into())),
            )
        })
        .collect();
    format!(
        "<h2 id=\"codes\">Codes of problems</h2>\
         <p>Every refusal is a problem of RFC 9457 with one of these in its member <code>code</code>. Branch on it: a code never changes, and new ones may be added.</p>{}",
        table(["Code", "Status", "What it means, and what to do"], &rows)
    )
}

/// The table of permissions with their routes.
fn permissions(entries: &[Entry<'_>]) -> String {
    let mut routes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for entry in entries {
        if let Some(permission) = entry.operation["x-permission"].as_str() {
            routes.entry(permission).or_default().push(format!(
                "<a href=\"#{}\"><code>{} {}</code></a>",
                escape(&entry.anchor),
                escape(&entry.method),
                escape(entry.path)
            ));
        }
    }
    let rows: Vec<_> = routes
        .into_iter()
        .map(|(permission, routes)| (permission.to_owned(), String::new(), routes.join("<br>")))
        .collect();
    format!(
        "<h2 id=\"permissions\">Permissions</h2>\
         <p>Of Latchkey’s own routes. A key has those of its authorization group, beside any of your services’.</p>{}",
        table(["Permission", "", "Routes"], &rows)
    )
}

fn section(entry: &Entry<'_>) -> String {
    let operation = entry.operation;
    let mut html = format!(
        "<section><h3 id=\"{}\">{}</h3><p class=\"route\"><span class=\"method\">{}</span> <code>{}</code></p><p>{}</p>",
        escape(&entry.anchor),
        prose(&operation["summary"]),
        escape(&entry.method),
        // A long path may be broken behind each of its parts.
        escape(entry.path).replace('/', "/<wbr>"),
        prose(&operation["description"]),
    );
    if let Some(permission) = operation["x-permission"].as_str() {
        let _ = write!(
            html,
            "<p>Permission: <code>{}</code></p>",
            escape(permission)
        );
    }
    for sample in items(&operation["x-codeSamples"]) {
        let _ = write!(
            html,
            "<pre tabindex=\"0\" aria-label=\"Example\"><code>{}</code></pre>",
            escape(sample["source"].as_str().unwrap_or_default())
        );
    }
    let rows: Vec<_> = items(&operation["parameters"])
        .map(|parameter| {
            let place = parameter["in"].as_str().unwrap_or_default();
            let name = parameter["name"].as_str().unwrap_or_default();
            (
                name.to_owned(),
                format!("{}, in the {place}", kind(&parameter["schema"])),
                prose(&parameter["description"]),
            )
        })
        .collect();
    html.push_str(&table(["Parameter", "Type", "Meaning"], &rows));
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
    html.push_str(&table(["Status", "Body", "Meaning"], &rows));
    html.push_str("</section>");
    html
}

/// The fields of a schema, including those of its parts.
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
    html + &table(["Field", "Type", "Meaning"], &rows)
}

/// The type of a schema in a few words.
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

/// A table of three columns, or of two if the second has no heading.
fn table(heads: [&str; 3], rows: &[(String, String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let [first, second, third] = heads.map(escape);
    let has_second = !second.is_empty();
    let mut html = format!("<table><thead><tr><th scope=\"col\">{first}</th>");
    if has_second {
        let _ = write!(html, "<th scope=\"col\">{second}</th>");
    }
    let _ = write!(html, "<th scope=\"col\">{third}</th></tr></thead><tbody>");
    for (name, kind, description) in rows {
        let _ = write!(
            html,
            "<tr><th scope=\"row\"><code>{}</code></th>",
            escape(name)
        );
        if has_second {
            let _ = write!(html, "<td>{kind}</td>");
        }
        let _ = write!(html, "<td>{description}</td></tr>");
    }
    html.push_str("</tbody></table>");
    html
}

/// A doc comment as HTML: text between backquotes is code.
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
