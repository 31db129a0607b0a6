//! Checks that paths and links in every Markdown file lead to existing files and headings.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Component, Path, PathBuf},
};

use crate::files::{root, texts};

/// Folders of the repository. A word that begins with one of them is a path.
const FOLDERS: [&str; 9] = [
    "app/",
    "domain/",
    "end2end/",
    "frontend/",
    "public/",
    "server/",
    "style/",
    "xtask/",
    "docs/",
];

/// Files that the reader creates.
const CREATED_BY_READER: [&str; 1] = ["docs/deploy/.env"];

#[test]
fn every_path_in_a_document_exists() {
    let mut missing = Vec::new();
    for (document, text) in texts(&[".md"]) {
        for path in paths_in(&text) {
            if !root().join(path).exists() && !CREATED_BY_READER.contains(&path) {
                missing.push(format!("{document} names {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "missing: {missing:#?}");
}

#[test]
fn every_relative_link_of_a_document_leads_to_a_file_and_a_heading() {
    let documents: BTreeMap<String, String> = texts(&[".md"]).into_iter().collect();
    let mut broken = Vec::new();
    let mut followed = 0;
    for (document, text) in &documents {
        for link in links_in(text) {
            followed += 1;
            if let Err(problem) = follow(document, link, &documents) {
                broken.push(format!("{document}: {link}: {problem}"));
            }
        }
    }
    assert!(followed > 20, "{followed} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

fn follow(
    document: &str,
    link: &str,
    documents: &BTreeMap<String, String>,
) -> Result<(), &'static str> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        document.to_owned()
    } else {
        resolve(document, path).ok_or("outside of the repository")?
    };
    if !root().join(&target).exists() {
        return Err("no such file");
    }
    if anchor.is_empty() {
        return Ok(());
    }
    let text = documents
        .get(&target)
        .ok_or("an anchor in a file that is not a document")?;
    if anchors_of(text).iter().any(|known| known == anchor) {
        Ok(())
    } else {
        Err("no such heading")
    }
}

/// The path relative to the root folder; `None` if it is outside the repository.
fn resolve(document: &str, link: &str) -> Option<String> {
    let mut path = PathBuf::new();
    let folder = Path::new(document).parent()?;
    for part in folder.join(link).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    path.to_str().map(str::to_owned)
}

/// Words that begin with a folder of the repository and are not a pattern.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    text.split([
        ' ', '\n', '`', '(', ')', '[', ']', ',', ';', '"', '\'', '|', '=',
    ])
    .map(|word| word.trim_end_matches(['.', ':']))
    .map(|word| word.split('#').next().unwrap_or(word))
    .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
    .filter(|word| !word.contains(['*', '{', '<', '…', '$']))
}

/// The targets of relative links, outside of code.
fn links_in(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for line in lines_without_code(text) {
        for after in line.split("](").skip(1) {
            let target = after.split(')').next().unwrap_or_default();
            let is_relative = !target.contains("://") && !target.starts_with("mailto:");
            if is_relative && !target.contains(['{', '<']) {
                links.push(target);
            }
        }
    }
    links
}

/// The anchors that GitHub derives from headings.
fn anchors_of(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = lines_without_code(text).filter_map(|line| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len() && title.starts_with(' ')).then(|| title.trim())
    });
    headings
        .map(|title| {
            let anchor: String = title
                .to_lowercase()
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
                .map(|letter| if letter == ' ' { '-' } else { letter })
                .collect();
            let count = seen.entry(anchor.clone()).or_default();
            *count += 1;
            match *count {
                1 => anchor,
                count => format!("{anchor}-{}", count - 1),
            }
        })
        .collect()
}

fn lines_without_code(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        if is_fence {
            is_code = !is_code;
        }
        !is_code && !is_fence
    })
}

#[test]
fn links_and_anchors_are_found() {
    let text = "# A page\n\n## Run it!\n[a](b.md#c) and ![d](e.png), [f](https://g.example)\n\
                ```sh\n# no heading [h](i)\n```\n## Run it!\n";
    assert_eq!(links_in(text), ["b.md#c", "e.png"]);
    assert_eq!(anchors_of(text), ["a-page", "run-it", "run-it-1"]);
    assert_eq!(
        resolve("docs/a/b.md", "../c.md").as_deref(),
        Some("docs/c.md")
    );
    assert_eq!(resolve("a.md", "../c.md"), None);
    let documents = BTreeMap::from([("README.md".to_owned(), text.to_owned())]);
    assert!(follow("README.md", "#run-it", &documents).is_ok());
    assert!(follow("README.md", "#runs", &documents).is_err());
    assert!(follow("README.md", "nowhere.md", &documents).is_err());
}
