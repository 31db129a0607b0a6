//! Example commands of the operations.

use serde_json::{Value, json};

/// Adds to each operation the curl command that calls it.
pub(super) fn add_samples(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            let sample = sample(path, &method.to_uppercase(), operation, &schemas);
            operation["x-codeSamples"] = json!([{ "lang": "Shell", "source": sample }]);
        }
    }
}

fn sample(path: &str, method: &str, operation: &Value, schemas: &Value) -> String {
    let path = path
        .replace("{id}", "$KEY_ID")
        .replace("{tenant}", "acme")
        .replace("{permission}", "orders:read")
        .replace("{rest}", "orders/7");
    let query = match operation["operationId"].as_str().unwrap_or_default() {
        "list_api_keys" => "?status=active&limit=100",
        "list_audit_events" => "?action=api_key.revoked&from=2026-01-01",
        id if id.starts_with("forward_auth") && !path.contains("/for/") => {
            "?permission=orders:read"
        }
        _ => "",
    };
    let how = match method {
        "GET" => String::new(),
        "HEAD" => " --head".to_owned(),
        other => format!(" -X {other}"),
    };
    let mut command = format!("curl{how} \"$LATCHKEY{path}{query}\" \\\n  -H \"X-API-Key: $KEY\"");
    let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    if let Some(name) = body.as_str().and_then(|body| body.rsplit('/').next()) {
        let example = &schemas[name]["example"];
        command.push_str(&format!(
            " \\\n  -H 'Content-Type: application/json' \\\n  -d '{example}'"
        ));
    }
    command
}
