//! Joins the files of `style` into one stylesheet, in the order of the imports in `style/main.css`. A browser then fetches one file, and the hash in its
//! name covers all of it. Trunk does not follow imports of a stylesheet.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// The joined stylesheet, to which `index.html` refers.
const JOINED: &str = "dist/main.css";

/// Writes the joined stylesheet.
///
/// # Errors
/// If a file is missing or an import has an unsupported form.
pub(crate) fn join(workspace: &Workspace) -> Result<()> {
    let joined = join_imports(&workspace.read("style/main.css")?, |file| {
        workspace.read(&format!("style/{file}"))
    })?;
    let place = workspace.root.join(JOINED);
    std::fs::create_dir_all(place.parent().unwrap_or(Path::new(".")))
        .and_then(|()| std::fs::write(&place, joined))
        .with_context(|| format!("cannot write {}", place.display()))
}

/// Replaces each line `@import "./file.css";` or `@import "./file.css" layer(name);` by the file's content.
fn join_imports(main: &str, read: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut joined = String::new();
    for line in main.lines() {
        let Some(import) = line.trim_start().strip_prefix("@import") else {
            joined.push_str(line);
            joined.push('\n');
            continue;
        };
        let (file, layer) = parse_import(import)
            .with_context(|| format!("style/main.css: cannot follow `{}`", line.trim()))?;
        let content = read(file)?;
        if content
            .lines()
            .any(|line| line.trim_start().starts_with("@import"))
        {
            bail!("style/{file} has an @import: import its files in style/main.css instead");
        }
        match layer {
            Some(layer) => joined.push_str(&format!("@layer {layer} {{\n{content}\n}}\n")),
            None => joined.push_str(&format!("{content}\n")),
        }
    }
    Ok(joined)
}

/// Parses the text after `@import` into the file's name and its layer.
fn parse_import(import: &str) -> Option<(&str, Option<&str>)> {
    let import = import.trim().strip_suffix(';')?.trim_end();
    let import = import
        .strip_prefix("url(")
        .map_or(Some(import), |url| url.strip_suffix(')'))?;
    let quote = import
        .chars()
        .next()
        .filter(|quote| ['"', '\''].contains(quote))?;
    let (file, rest) = import[1..].split_once(quote)?;
    let layer = match rest.trim() {
        "" => None,
        rest => Some(rest.strip_prefix("layer(")?.strip_suffix(')')?),
    };
    Some((file.strip_prefix("./").unwrap_or(file), layer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(file: &str) -> Result<String> {
        match file {
            "tokens.css" => Ok(":root { --gap: 4px }".to_owned()),
            "table.css" => Ok("td { padding: var(--gap) }".to_owned()),
            "nested.css" => Ok("@import \"table.css\";".to_owned()),
            _ => bail!("no {file}"),
        }
    }

    #[test]
    fn imports_are_replaced_in_their_order_and_the_rest_stays() {
        let main = "/* order */\n@import \"./tokens.css\";\n@import url('table.css');\nbody { margin: 0 }\n";
        let joined = join_imports(main, files).expect("all there");
        assert_eq!(
            joined,
            "/* order */\n:root { --gap: 4px }\ntd { padding: var(--gap) }\nbody { margin: 0 }\n"
        );
    }

    #[test]
    fn a_layer_is_kept() {
        let joined =
            join_imports("@import \"./table.css\" layer(components);\n", files).expect("all there");
        assert_eq!(
            joined,
            "@layer components {\ntd { padding: var(--gap) }\n}\n"
        );
    }

    #[test]
    fn an_unsupported_import_is_an_error() {
        for main in [
            "@import \"missing.css\";",
            "@import \"table.css\" screen;",
            "@import \"nested.css\";",
            "@import table.css;",
        ] {
            assert!(join_imports(main, files).is_err(), "{main}");
        }
    }
}
