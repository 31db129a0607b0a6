//! The modules of a crate: declaring file, items, imports, and the paths in their code.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemMod, Meta, UseTree, Visibility,
    spanned::Spanned,
    visit::{self, Visit},
};

/// Reads a file of the crate; `None` if it does not exist.
pub(crate) type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// One crate without its tests.
#[derive(Default)]
pub(crate) struct Crate {
    /// The modules; the first one is the crate's root.
    pub(crate) modules: Vec<Module>,
}

#[derive(Default)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    /// Child modules by name. A name has several modules if `cfg` selects one of them.
    pub(crate) children: BTreeMap<String, Vec<usize>>,
    /// Items that the module declares itself.
    pub(crate) items: BTreeSet<String>,
    pub(crate) uses: Vec<UseDeclaration>,
    /// Paths in the code, with their lines.
    pub(crate) paths: Vec<(Vec<String>, usize)>,
}

/// One leaf of a `use` declaration.
pub(crate) struct UseDeclaration {
    /// The name in this module; `*` for a glob import.
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// `pub use`, also with a restricted visibility.
    pub(crate) is_reexport: bool,
}

impl Crate {
    /// Parses `root` and every module file that it declares. Items under `#[cfg(test)]` are left out.
    pub(crate) fn parse(root: &Path, read: Read) -> Self {
        let mut parsed = Self::default();
        let folder = root.parent().unwrap_or(Path::new("")).to_path_buf();
        parsed.parse_file(root, &folder, None, read);
        parsed
    }

    /// `folder` is where the files of the child modules are.
    fn parse_file(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        read: Read,
    ) -> usize {
        let text = read(file).unwrap_or_else(|| panic!("cannot read {}", file.display()));
        let syntax = syn::parse_file(&text)
            .unwrap_or_else(|error| panic!("cannot parse {}: {error}", file.display()));
        self.parse_items(&syntax.items, file, folder, parent, read)
    }

    fn parse_items(
        &mut self,
        items: &[Item],
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        read: Read,
    ) -> usize {
        let module = self.modules.len();
        self.modules.push(Module {
            file: file.to_path_buf(),
            parent,
            ..Module::default()
        });
        let mut collector = Collector::default();
        for item in items {
            collector.visit_item(item);
        }
        for child in std::mem::take(&mut collector.child_modules) {
            let name = child.ident.to_string();
            let index = match &child.content {
                Some((_, items)) => {
                    self.parse_items(items, file, &folder.join(&name), Some(module), read)
                }
                None => self.parse_module_file(&child, file, folder, module, read),
            };
            let children = &mut self.modules[module].children;
            children.entry(name).or_default().push(index);
        }
        let Collector {
            items, uses, paths, ..
        } = collector;
        let entry = &mut self.modules[module];
        (entry.items, entry.uses, entry.paths) = (items, uses, paths);
        module
    }

    fn parse_module_file(
        &mut self,
        declaration: &ItemMod,
        file: &Path,
        folder: &Path,
        parent: usize,
        read: Read,
    ) -> usize {
        let name = declaration.ident.to_string();
        if let Some(path) = path_attribute(&declaration.attrs) {
            let file = normal(&file.parent().unwrap_or(Path::new("")).join(path));
            let folder = file.with_extension("");
            return self.parse_file(&file, &folder, Some(parent), read);
        }
        // Clippy's `mod_module_files` refuses `mod.rs`.
        let file = folder.join(format!("{name}.rs"));
        self.parse_file(&file, &folder.join(&name), Some(parent), read)
    }
}

/// The contents of one module, without its child modules.
#[derive(Default)]
struct Collector {
    items: BTreeSet<String>,
    uses: Vec<UseDeclaration>,
    paths: Vec<(Vec<String>, usize)>,
    child_modules: Vec<ItemMod>,
    /// The number of functions, blocks and impls around the current item.
    depth: usize,
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test_only(attributes(item)) {
            return;
        }
        if self.depth == 0
            && let Some(name) = name(item)
        {
            self.items.insert(name);
        }
        match item {
            Item::Mod(module) => self.child_modules.push(module.clone()),
            Item::Use(import) => {
                let is_reexport = !matches!(import.vis, Visibility::Inherited);
                let line = import.span().start().line;
                let leading: &[String] = match import.leading_colon {
                    Some(_) => &["::".to_owned()],
                    None => &[],
                };
                self.collect_use(&import.tree, leading, line, is_reexport);
            }
            _ => {
                self.depth += 1;
                visit::visit_item(self, item);
                self.depth -= 1;
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter();
            let segments = segments.map(|segment| segment.ident.to_string()).collect();
            self.paths.push((segments, path.span().start().line));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.collect_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.collect_tokens(list.tokens.clone());
        }
    }

    /// Ignores the path in `pub(in path)`, which is no use of it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

impl Collector {
    fn collect_use(&mut self, tree: &UseTree, before: &[String], line: usize, is_reexport: bool) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        let (name, path) = match tree {
            UseTree::Path(next) => {
                return self.collect_use(&next.tree, &with(&next.ident), line, is_reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.collect_use(tree, before, line, is_reexport);
                }
                return;
            }
            UseTree::Name(leaf) if leaf.ident == "self" => {
                (before.last().cloned().unwrap_or_default(), before.to_vec())
            }
            UseTree::Name(leaf) => (leaf.ident.to_string(), with(&leaf.ident)),
            UseTree::Rename(leaf) => (leaf.rename.to_string(), with(&leaf.ident)),
            UseTree::Glob(_) => ("*".to_owned(), before.to_vec()),
        };
        self.uses.push(UseDeclaration {
            name,
            path,
            line,
            is_reexport,
        });
    }

    /// Collects `a::b::c` from a macro's input, which is not parsed.
    fn collect_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        // The punctuation since the last identifier.
        let mut between = String::new();
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if between != "::" || path.is_empty() {
                        self.finish_path(&mut path, line);
                        line = ident.span().start().line;
                    }
                    if between != "." {
                        path.push(ident.to_string());
                    }
                    between.clear();
                }
                TokenTree::Punct(punct) => between.push(punct.as_char()),
                TokenTree::Group(group) => {
                    self.finish_path(&mut path, line);
                    between.clear();
                    self.collect_tokens(group.stream());
                }
                TokenTree::Literal(_) => {
                    self.finish_path(&mut path, line);
                    between.clear();
                }
            }
        }
        self.finish_path(&mut path, line);
    }

    fn finish_path(&mut self, path: &mut Vec<String>, line: usize) {
        if !path.is_empty() {
            self.paths.push((std::mem::take(path), line));
        }
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Whether the item is compiled only for tests: `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else {
            return false;
        };
        let condition = list.tokens.to_string().replace(' ', "");
        list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,"))
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let syn::Expr::Lit(literal) = &pair.value else {
            return None;
        };
        match &literal.lit {
            syn::Lit::Str(path) if pair.path.is_ident("path") => Some(path.value()),
            _ => None,
        }
    })
}

/// Resolves `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
