//! Circles in an import graph.
//!
//! A file may import from the file of a parent module, as methods of the parent's type do (`impl super::Keys`), and the parent may call its
//! children: such an import is not part of a circle. Every other import counts. Siblings therefore may not import each other, and a circle
//! between two modules is also found if it passes through their children.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
};

use crate::imports::Imports;

/// The groups of files in which each file imports each other one, directly or indirectly (strongly connected components of more than one
/// file).
pub(crate) fn circles(imports: &Imports) -> Vec<BTreeSet<PathBuf>> {
    let reachable: BTreeMap<_, _> = imports
        .keys()
        .map(|file| (file, reachable(imports, file)))
        .collect();
    let mut circles = Vec::new();
    let mut done = BTreeSet::new();
    for (file, others) in &reachable {
        if done.contains(*file) || !others.contains(*file) {
            continue;
        }
        let is_mutual = |other: &&PathBuf| reachable[*other].contains(*file);
        let circle: BTreeSet<_> = others.iter().filter(is_mutual).cloned().collect();
        done.extend(circle.iter().cloned());
        circles.push(circle);
    }
    circles
}

/// All files that `file` imports directly or indirectly; includes `file` itself only if it is in a circle.
fn reachable(imports: &Imports, file: &PathBuf) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![file];
    while let Some(next) = open.pop() {
        for target in targets(imports, next) {
            if found.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    found
}

/// The imports that count for circles.
fn targets<'a>(imports: &'a Imports, file: &PathBuf) -> impl Iterator<Item = &'a PathBuf> {
    let targets = imports[file].iter();
    targets
        .filter(|(_, import)| !import.is_from_parent)
        .map(|(target, _)| target)
}

/// The circle as text: each import inside it with line and path, then a shortest path around it.
pub(crate) fn describe(imports: &Imports, circle: &BTreeSet<PathBuf>) -> String {
    let mut text = format!("{} files import each other:", circle.len());
    for file in circle {
        for target in targets(imports, file).filter(|target| circle.contains(*target)) {
            text += &format!("\n  {}", imports[file][target].describe(file, target));
        }
    }
    let way: Vec<_> = shortest_way(imports, circle)
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    text + "\n  shortest: " + &way.join(" → ")
}

/// The shortest circle among these files; the first file is repeated at the end.
fn shortest_way(imports: &Imports, circle: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let ways = circle.iter().filter_map(|start| {
        let mut from: BTreeMap<&PathBuf, &PathBuf> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(file) = open.pop_front() {
            for target in targets(imports, file).filter(|target| circle.contains(*target)) {
                if from.contains_key(target) {
                    continue;
                }
                from.insert(target, file);
                if target == start {
                    let back = std::iter::successors(Some(from[start]), |file| {
                        (*file != start).then(|| from[*file])
                    });
                    let mut way: Vec<_> = back.cloned().collect();
                    way.reverse();
                    way.push(start.clone());
                    return Some(way);
                }
                open.push_back(target);
            }
        }
        None
    });
    ways.min_by_key(Vec::len).unwrap_or_default()
}
