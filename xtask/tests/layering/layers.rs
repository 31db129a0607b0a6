//! The layers of `domain`.

use std::{collections::BTreeSet, path::Path};

use crate::imports::Imports;

/// The modules of `domain`, from the top down: each may only import from modules below it.
///
/// A line covers the module's descendants too, unless one of them has a line of its own: then each child has one.
pub(crate) const LAYERS: &[&str] = &[
    // Modules that serve requests.
    "store::filling",
    "verify",
    // The store, by the objects that it manages.
    "store",
    "store::restore",
    "store::own_password",
    "store::own_account",
    "store::sign_in_link",
    "store::second_factor::own",
    "store::sessions",
    "store::security_policy",
    "store::groups",
    "store::keys",
    "store::single_sign_on",
    "store::second_factor::second_step",
    "store::sign_in",
    "store::sign_in::opening",
    "store::invitations",
    "store::tenant_users",
    "store::user_changes",
    "store::users",
    "store::second_factor",
    "store::second_factor::rotation",
    "store::second_factor::table",
    "store::second_factor::code",
    "store::second_factor::pending",
    "store::second_factor::requirement",
    "store::tenants",
    "store::one_time_links",
    "store::audit",
    // Modules that the store uses.
    "store::sign_in::throttle",
    "store::sign_in::consecutive",
    "store::sign_in::buckets",
    "store::idempotency",
    "store::stored_policy",
    "store::scope",
    "store::cursor",
    "store::migration",
    "store::write",
    "store::receipts",
    "store::connection",
    "store::password",
    "store::invalidation",
    "store::backup",
    "store::connection::sqlite",
    "store::connection::postgres",
    "store::connection::pools",
    "store::connection::server_lock",
    "store::connection::file",
    "store::connection::lists",
    "store::connection::primary",
    "store::connection::writer",
    "store::connection::health",
    "store::second_factor_options",
    "store::encryption",
    "store::entity",
    "store::deadline",
    "store::clock",
    "store::random",
    "store::change_line",
    "store::error",
    "fair_share",
    "log_limit",
    "usage",
    // Rules that need no database.
    "security_policy",
    "key::preview",
    "key::simulation",
    "key::usage",
    "key::form",
    "key::own_grant",
    "key::query",
    "key",
    "audit",
    "actor",
    "session",
    "group",
    "user",
    "tenant",
    "key::rotation",
    "key::lifetime",
    "key::reason",
    "key::allowlist",
    "error",
    "user_rule",
    "key::verdict",
    "key::allowlist::addresses",
    "client_address",
    "user_agent",
    "network",
    "key::expiry",
    "key::format",
    "key::name",
    "permission",
    "propagation",
    "text",
    "id",
    "page",
];

/// Modules that may import from a parent module above them.
pub(crate) const UPWARDS: &[(&str, &str)] = &[
    // Methods of `Store` itself, for callers without a tenant.
    ("store::keys", "store"),
    // The end of a sign-in, on its `Attempt`.
    ("store::sign_in::opening", "store::sign_in"),
];

/// The imports that lead upwards and are not in `allowed`, and the files without a layer. `folder` is the folder of the crate's root file.
pub(crate) fn violations(
    imports: &Imports,
    folder: &str,
    layers: &[&str],
    allowed: &[(&str, &str)],
) -> Vec<String> {
    let is_allowed = |from: usize, to: usize| {
        let layer = |place: usize| place.checked_sub(1).map(|index| layers[index]);
        let pair = layer(from).zip(layer(to));
        pair.is_some_and(|pair| allowed.contains(&pair))
    };
    let mut violations = Vec::new();
    for (file, targets) in imports {
        let Some(own) = place(file, folder, layers) else {
            violations.push(format!("{} has no place in the layers", file.display()));
            continue;
        };
        for (target, import) in targets {
            let place = place(target, folder, layers);
            if place.is_some_and(|place| place < own && !is_allowed(own, place)) {
                violations.push(import.describe(file, target));
            }
        }
    }
    violations
}

/// The file's layer, counted from the top: 0 for the crate's root.
fn place(file: &Path, folder: &str, layers: &[&str]) -> Option<usize> {
    let path = file.strip_prefix(folder).ok()?.with_extension("");
    let module = path.to_str()?.replace('/', "::");
    if module == "lib" {
        return Some(0);
    }
    let covers = |layer: &&&str| {
        let is_below = |module: &str| {
            let rest = module.strip_prefix(**layer);
            rest.is_some_and(|rest| rest.starts_with("::"))
        };
        module == **layer || (is_below(&module) && !layers.iter().any(|other| is_below(other)))
    };
    layers
        .iter()
        .position(|layer| covers(&layer))
        .map(|place| place + 1)
}

/// The lines of `layers` that match no file.
pub(crate) fn unused<'a>(imports: &Imports, folder: &str, layers: &[&'a str]) -> Vec<&'a str> {
    let places: BTreeSet<_> = imports
        .keys()
        .filter_map(|file| place(file, folder, layers))
        .collect();
    let unused = layers.iter().enumerate();
    let unused = unused.filter(|(index, _)| !places.contains(&(index + 1)));
    unused.map(|(_, layer)| *layer).collect()
}
