//! Constant names of enums for client generators.

use std::collections::BTreeMap;

use serde_json::Value;

/// Sets `x-enum-varnames` on enums that share a value with another enum. Generators that make one global constant per value, such as
/// that for Go, would otherwise define the same constant twice.
pub(super) fn name_shared_constants(document: &mut Value) {
    let constant = |word: &str| word.replace(['.', '-', ':'], "_").to_uppercase();
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let mut owners: BTreeMap<String, u32> = BTreeMap::new();
    for word in schemas.values().flat_map(words) {
        *owners.entry(constant(word)).or_default() += 1;
    }
    for (name, schema) in schemas {
        let names: Vec<_> = words(schema).map(&constant).collect();
        let is_shared = |constant: &String| owners.get(constant).is_some_and(|number| *number > 1);
        if names.iter().any(is_shared) {
            let prefix = snake_case(name).to_uppercase();
            let unique = names
                .into_iter()
                .map(|constant| match is_shared(&constant) {
                    true => format!("{prefix}_{constant}"),
                    false => constant,
                })
                .collect::<Vec<_>>();
            schema["x-enum-varnames"] = unique.into();
        }
    }
}

/// The values of an enum schema; empty for other schemas.
fn words(schema: &Value) -> impl Iterator<Item = &str> {
    schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Converts a type name: `ActorKind` becomes `actor_kind`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (index, character) in name.char_indices() {
        if character.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}
