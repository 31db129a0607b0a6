//! The imports between the files of a crate.
//!
//! A file imports from another file if a path in it (in code, in a macro's input or in a `use` declaration) leads to an item that the other
//! file declares. Re-exports are followed to the declaring file, so a path through a parent module counts for the file that declares the
//! item. Three things are not imports:
//!
//! - `mod child;`
//! - a path that ends at a module: the paths that start from its name count separately;
//! - a re-export (`pub use`, `pub(crate) use`) of a descendant's item, because the parent only forwards it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::modules::Crate;

/// The maximum number of `use` declarations through which one name may lead.
const MOST_STEPS: usize = 16;

/// Importing file → imported file → the first such import.
pub(crate) type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, Import>>;

/// An import of one file from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Import {
    pub(crate) line: usize,
    /// The path as written in the code.
    pub(crate) path: String,
    /// Whether the imported file declares a parent module of the importing one.
    pub(crate) is_from_parent: bool,
}

impl Import {
    pub(crate) fn describe(&self, from: &Path, to: &Path) -> String {
        let (from, to) = (from.display(), to.display());
        format!("{from}:{} imports {} from {to}", self.line, self.path)
    }
}

impl Crate {
    /// The import graph. Every file is a key, including files without imports.
    pub(crate) fn imports(&self) -> Imports {
        let mut graph = Imports::new();
        for (index, module) in self.modules.iter().enumerate() {
            let targets = graph.entry(module.file.clone()).or_default();
            let mut add = |target: &Target, path: &[String], line: usize| {
                let Target::Item(declaring) = *target else {
                    return;
                };
                let file = &self.modules[declaring].file;
                if *file != module.file && !targets.contains_key(file) {
                    let import = Import {
                        line,
                        path: path.join("::"),
                        is_from_parent: self.is_below(declaring, index),
                    };
                    targets.insert(file.clone(), import);
                }
            };
            for declaration in &module.uses {
                for target in self.resolve(index, &declaration.path, MOST_STEPS) {
                    let is_passed_on = declaration.is_reexport
                        && matches!(target, Target::Item(item) if self.is_below(index, item));
                    if !is_passed_on {
                        add(&target, &declaration.path, declaration.line);
                    }
                }
            }
            for (path, line) in &module.paths {
                for target in self.resolve(index, path, MOST_STEPS) {
                    add(&target, path, *line);
                }
            }
        }
        graph
    }

    /// Whether `module` is a descendant of `ancestor`.
    fn is_below(&self, ancestor: usize, module: usize) -> bool {
        let parents = std::iter::successors(Some(module), |module| self.modules[*module].parent);
        parents.skip(1).any(|parent| parent == ancestor)
    }

    /// The targets of a path; empty for other crates, local variables and primitive types.
    fn resolve(&self, module: usize, path: &[String], steps: usize) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else {
            return BTreeSet::from([Target::Module(module)]);
        };
        match first.as_str() {
            // A path that begins with `::` leads to another crate.
            "::" => BTreeSet::new(),
            "crate" => self.resolve(0, rest, steps),
            "self" => self.resolve(module, rest, steps),
            "super" => match self.modules[module].parent {
                Some(parent) => self.resolve(parent, rest, steps),
                None => BTreeSet::new(),
            },
            name => self.resolve_name(module, name, rest, steps),
        }
    }

    fn resolve_name(
        &self,
        module: usize,
        name: &str,
        rest: &[String],
        steps: usize,
    ) -> BTreeSet<Target> {
        let Some(steps) = steps.checked_sub(1) else {
            return BTreeSet::new();
        };
        let entry = &self.modules[module];
        let mut targets = BTreeSet::new();
        if entry.items.contains(name) {
            targets.insert(Target::Item(module));
        }
        for child in entry.children.get(name).into_iter().flatten() {
            targets.extend(self.resolve(*child, rest, steps));
        }
        for declaration in entry
            .uses
            .iter()
            .filter(|declaration| declaration.name == name)
        {
            // `use name;` would resolve to itself.
            if declaration.path.first().is_none_or(|first| first != name) {
                let mut path = declaration.path.clone();
                path.extend_from_slice(rest);
                targets.extend(self.resolve(module, &path, steps));
            }
        }
        if targets.is_empty() {
            for declaration in entry
                .uses
                .iter()
                .filter(|declaration| declaration.name == "*")
            {
                for target in self.resolve(module, &declaration.path, steps) {
                    if let Target::Module(globbed) = target
                        && globbed != module
                    {
                        targets.extend(self.resolve_name(globbed, name, rest, steps));
                    }
                }
            }
        }
        targets
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Target {
    Module(usize),
    /// An item that this module declares.
    Item(usize),
}
