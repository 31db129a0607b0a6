//! Tests of the checker on small invented crates.

use std::path::Path;

use crate::{
    circles::{circles, describe},
    imports::Imports,
    layers::{unused, violations},
    modules::Crate,
};

/// The import graph of a crate with these files; the first one is the root.
fn imports(files: &[(&str, &str)]) -> Imports {
    let read = |file: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == file);
        found.map(|(_, text)| (*text).to_owned())
    };
    Crate::parse(Path::new(files[0].0), &read).imports()
}

fn described(files: &[(&str, &str)]) -> Vec<String> {
    let imports = imports(files);
    let circles = circles(&imports);
    circles
        .iter()
        .map(|circle| describe(&imports, circle))
        .collect()
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let one_way = [
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "use crate::b::B;\npub struct A(B);"),
        ("src/b.rs", "pub struct B;"),
    ];
    assert!(described(&one_way).is_empty());
    for back in [
        "use crate::a::A;\npub struct B;",
        "pub struct B;\nfn a() -> Option<super::a::A> { None }",
        "use super::a;\npub struct B;\nfn a() -> Vec<a::A> { vec![] }",
        "pub struct B;\nfn a() { if true { use crate::a::A; drop::<Option<A>>(None) } }",
        "pub struct B;\nfn a() { println!(\"{}\", crate::a::A::NAME); }",
        "mod inside { use crate::a::A; }\npub struct B;",
        "pub use crate::a::A as Other;\npub struct B;",
    ] {
        let mut both_ways = one_way;
        both_ways[2].1 = back;
        let found = described(&both_ways);
        assert_eq!(found.len(), 1, "{back}");
        assert!(
            found[0].contains("src/a.rs:1 imports crate::b::B from src/b.rs"),
            "{found:?}"
        );
        assert!(
            found[0].ends_with("shortest: src/a.rs → src/b.rs → src/a.rs"),
            "{found:?}"
        );
    }
}

#[test]
fn a_circle_is_found_through_a_reexport_a_glob_and_a_third_file() {
    let found = described(&[
        ("src/main.rs", "mod a; mod b; mod c;"),
        ("src/a.rs", "use crate::b::*;\npub struct A(B);"),
        ("src/b.rs", "mod hidden; pub use hidden::B;"),
        ("src/b/hidden.rs", "use crate::c::C;\npub struct B(C);"),
        ("src/c.rs", "use crate::a::A;\npub struct C(Box<A>);"),
    ]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].ends_with("src/a.rs → src/b/hidden.rs → src/c.rs → src/a.rs"),
        "the file that only passes B on is no part of it: {found:?}"
    );
}

#[test]
fn tests_names_of_modules_and_other_crates_are_no_imports() {
    let graph = imports(&[
        ("src/lib.rs", "mod a; mod b;"),
        (
            "src/a.rs",
            "use crate::b;\nuse serde::b::B as Other;\npub struct A;",
        ),
        (
            "src/b.rs",
            "use ::a::A;\n#[cfg(test)] mod tests { use crate::a::A; }\n#[cfg(all(test, unix))] use crate::a::A;\npub struct B;",
        ),
    ]);
    assert!(
        graph.values().all(|targets| targets.is_empty()),
        "{graph:?}"
    );
}

#[test]
fn a_module_and_its_own_children_make_no_circle_but_siblings_do() {
    let mut files = [
        ("src/lib.rs", "mod keys; mod audit;"),
        (
            "src/keys.rs",
            "mod list; mod row;\npub struct Keys;\nfn list() { list::list(); }",
        ),
        (
            "src/keys/list.rs",
            "use super::{Keys, row::Row};\npub fn list() {}",
        ),
        ("src/keys/row.rs", "use super::Keys;\npub struct Row;"),
        ("src/audit.rs", "pub struct Event;"),
    ];
    assert!(described(&files).is_empty());
    // An import between siblings.
    files[3].1 = "use super::list::list;\npub struct Row;";
    assert_eq!(described(&files).len(), 1);
    // An import from another module through a child.
    files[3].1 = "use crate::audit::Event;\npub struct Row;";
    files[4].1 = "use crate::keys::Keys;\npub struct Event;";
    let found = described(&files);
    assert!(found[0].starts_with("4 files"), "{found:?}");
}

#[test]
fn a_layer_imports_from_those_below_it_only() {
    let layers = ["store", "store::keys", "store::connection", "text"];
    let mut files = [
        ("src/lib.rs", "mod store; mod text;"),
        (
            "src/store.rs",
            "mod connection; mod keys;\npub struct Store(keys::Keys);",
        ),
        (
            "src/store/connection.rs",
            "mod sqlite;\npub struct Database;",
        ),
        ("src/store/connection/sqlite.rs", "use super::Database;"),
        (
            "src/store/keys.rs",
            "use super::connection::Database;\nuse crate::text::Text;\npub struct Keys;",
        ),
        ("src/text.rs", "pub struct Text;"),
    ];
    let check = |files: &[(&str, &str)]| violations(&imports(files), "src", &layers, &[]);
    assert!(check(&files).is_empty());
    files[3].1 = "use crate::store::keys::Keys;";
    assert_eq!(
        check(&files),
        [
            "src/store/connection/sqlite.rs:1 imports crate::store::keys::Keys from src/store/keys.rs"
        ]
    );
    // Also an import from a parent, which causes no circle.
    files[3].1 = "use crate::store::Store;";
    assert_eq!(check(&files).len(), 1);
    let allowed = [("store::connection", "store")];
    assert!(violations(&imports(&files), "src", &layers, &allowed).is_empty());
    files[3].1 = "";
    files[1].1 = "mod connection; mod keys; mod groups;";
    let mut files = files.to_vec();
    files.push(("src/store/groups.rs", ""));
    assert_eq!(
        check(&files),
        ["src/store/groups.rs has no place in the layers"]
    );
    files.remove(4);
    files[1].1 = "mod connection;";
    assert_eq!(unused(&imports(&files), "src", &layers), ["store::keys"]);
}
