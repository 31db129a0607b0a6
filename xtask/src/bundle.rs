//! Builds the browser's bundle with Trunk and copies changed files to `dist`. The server embeds them from there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::precompress;
use crate::profile::Profile;
use crate::progress;
use crate::stylesheet;
use crate::tools;
use crate::workspace::Workspace;

/// Brings `dist/debug` or `dist/release` up to date and returns its path.
///
/// # Errors
/// If a tool cannot be installed or the bundle does not compile.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let mut path = tools::for_bundle(workspace)?;
    if profile == Profile::Release {
        path.push(tools::wasm_opt(workspace)?);
    }
    progress::step(
        &format!("Building the browser's {} bundle", profile.folder()),
        usually(profile),
        || {
            stylesheet::join(workspace)?;
            // Trunk empties its folder at each build, and a new modification time of an embedded file recompiles the server. Trunk
            // therefore builds into a separate folder, from which only changed files are copied.
            let built = workspace.target.join("trunk").join(profile.folder());
            command::run(&mut trunk(workspace, profile, &path, &built)?)?;
            let dist = workspace.root.join("dist").join(profile.folder());
            update(&built, &dist, profile)?;
            Ok(dist)
        },
    )
}

/// Whether `dist` has a bundle of the profile, possibly of earlier sources.
pub(crate) fn is_built(workspace: &Workspace, profile: Profile) -> bool {
    let dist = workspace.root.join("dist").join(profile.folder());
    fs::read_dir(dist).is_ok_and(|mut files| files.next().is_some())
}

fn usually(profile: Profile) -> &'static str {
    match profile {
        Profile::Debug => "2 min the first time, then seconds",
        Profile::Release => "3 min the first time, then half a minute",
    }
}

fn trunk(
    workspace: &Workspace,
    profile: Profile,
    path: &[PathBuf],
    built: &Path,
) -> Result<Command> {
    let mut trunk = Command::new("trunk");
    trunk
        .args(["build", "--skip-version-check", "--dist"])
        .arg(built)
        .current_dir(&workspace.root);
    trunk
        .env("PATH", command::path_with(path)?)
        .env("CARGO_TARGET_DIR", workspace.wasm_target());
    if profile == Profile::Release {
        trunk.arg("--release");
    }
    // Trunk accepts only "true" and "false"; the convention allows any value.
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        trunk.env("NO_COLOR", "true");
    } else {
        trunk.env_remove("NO_COLOR");
    }
    Ok(trunk)
}

/// Makes `dist` contain exactly the files of `built` and their compressed forms. Writes changed files only.
fn update(built: &Path, dist: &Path, profile: Profile) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for file in files(built)? {
        // The server renders its pages; Trunk's page is never served.
        if file == Path::new("index.html") {
            continue;
        }
        let content = std::fs::read(built.join(&file))
            .with_context(|| format!("cannot read {}", built.join(&file).display()))?;
        let place = dist.join(&file);
        let unchanged = std::fs::read(&place).is_ok_and(|before| before == content);
        // The compressed forms are written first, so that an interrupted run never leaves a current file with outdated forms.
        for (name, compress) in precompress::forms(&file, profile) {
            if !unchanged || !dist.join(&name).is_file() {
                write(&dist.join(&name), &compress(&content)?)?;
            }
            wanted.insert(name);
        }
        if !unchanged {
            write(&place, &content)?;
        }
        wanted.insert(file);
    }
    ensure!(
        wanted
            .iter()
            .any(|file| file.extension().is_some_and(|ending| ending == "wasm")),
        "Trunk built no WebAssembly in {}",
        built.display()
    );
    for stale in files(dist)?.difference(&wanted) {
        std::fs::remove_file(dist.join(stale))
            .with_context(|| format!("cannot remove {}", dist.join(stale).display()))?;
    }
    Ok(())
}

/// Writes a file atomically: the server must not embed a partial file.
fn write(place: &Path, content: &[u8]) -> Result<()> {
    let folder = place
        .parent()
        .context("a file of the bundle has no folder")?;
    let unfinished = folder.join(".unfinished");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&unfinished, content))
        .and_then(|()| std::fs::rename(&unfinished, place))
        .with_context(|| format!("cannot write {}", place.display()))
}

/// All files below a folder, as paths relative to it.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry
                .with_context(|| format!("cannot list {}", next.display()))?
                .path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(inside) = path.strip_prefix(folder) {
                found.insert(inside.to_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A temporary folder that is removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("latchkey-xtask-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("the temporary folder is writable");
            Self(path)
        }

        fn put(&self, file: &str, content: &[u8]) {
            write(&self.0.join(file), content).expect("the temporary folder is writable");
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    fn names(folder: &Folder) -> Vec<String> {
        files(&folder.0)
            .expect("listed")
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn changed_files_are_written_and_stale_ones_removed() {
        let (built, dist) = (Folder::new("built"), Folder::new("dist"));
        built.put("index.html", b"<!DOCTYPE html>");
        built.put("frontend-1_bg.wasm", b"first");
        built.put("public/mark.svg", b"<svg/>");
        update(&built.0, &dist.0, Profile::Debug).expect("first");
        let all = [
            "frontend-1_bg.wasm",
            "frontend-1_bg.wasm.br",
            "frontend-1_bg.wasm.gz",
            "public/mark.svg",
            "public/mark.svg.br",
            "public/mark.svg.gz",
        ];
        assert_eq!(names(&dist), all);

        let changed = |file: &str| {
            std::fs::metadata(dist.0.join(file))
                .and_then(|data| data.modified())
                .expect("there")
        };
        let before = all.map(changed);
        update(&built.0, &dist.0, Profile::Debug).expect("again");
        assert_eq!(
            all.map(changed),
            before,
            "an unchanged bundle must not recompile the server"
        );

        std::fs::remove_file(built.0.join("frontend-1_bg.wasm")).expect("there");
        built.put("frontend-2_bg.wasm", b"second");
        built.put("public/mark.svg", b"<svg></svg>");
        update(&built.0, &dist.0, Profile::Debug).expect("changed");
        assert_eq!(
            names(&dist)
                .iter()
                .filter(|name| name.contains("frontend"))
                .count(),
            3,
            "the old bundle's files are gone"
        );
        assert_eq!(
            std::fs::read(dist.0.join("public/mark.svg")).expect("there"),
            b"<svg></svg>"
        );
        assert_ne!(changed("public/mark.svg.br"), before[4]);
    }

    #[test]
    fn a_build_without_webassembly_is_an_error() {
        let (built, dist) = (Folder::new("empty-built"), Folder::new("empty-dist"));
        built.put("main.css", b"body{}");
        assert!(update(&built.0, &dist.0, Profile::Debug).is_err());
    }
}
