//! Running other programs.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A cargo command in `folder`, with the cargo that runs xtask.
///
/// `cargo run` describes xtask's crate in the environment. These variables are removed: a build script that reads one would run again whenever the
/// developer switches between `cargo` and `cargo xtask`.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let described = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if described {
            command.env_remove(name);
        }
    }
    command.current_dir(folder);
    command
}

/// Runs a program that writes to the terminal.
///
/// # Errors
/// If it cannot be started or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| not_started(command, error))?;
    if !status.success() {
        bail!("`{}` ended with {status}", command_line(command));
    }
    Ok(())
}

/// Runs a program and returns its stdout.
///
/// # Errors
/// As [`run`], with the program's stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(command, error))?;
    if !output.status.success() {
        bail!(
            "`{}` ended with {}\n{}",
            command_line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("the output of `{}` is not UTF-8", command_line(command)))
}

/// Whether the program can be started and succeeds. Its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Writes an executable file that can be run at once.
///
/// A child process writes it. If this process had the file open for writing while another thread forks, that child would keep it open until its exec,
/// and until then the kernel refuses to run the file (`ETXTBSY`).
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_program(path: &Path, text: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .arg(text);
    output(&mut shell).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// The path of the first of these programs in PATH.
pub(crate) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    })
}

/// PATH with these folders in front.
///
/// # Errors
/// If the name of a folder contains a colon.
pub(crate) fn path_with(folders: &[PathBuf]) -> Result<OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(folders.iter().cloned().chain(std::env::split_paths(&rest)))
        .context("a tool's folder cannot be added to PATH")
}

fn not_started(command: &Command, error: std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("`{program}` is not installed, or not on PATH"),
        _ => anyhow::Error::new(error).context(format!("cannot start `{program}`")),
    }
}

/// The command as in a shell: program name, then arguments.
fn command_line(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_else(|| command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_programs_name_arguments_and_stderr() {
        let error = output(Command::new("sh").args(["-c", "echo broken >&2; exit 3"]))
            .expect_err("exit 3 is a failure");
        let message = error.to_string();
        assert!(
            message.contains("sh -c") && message.contains("broken"),
            "{message}"
        );
        assert!(run(Command::new("sh").args(["-c", "exit 3"])).is_err());
    }

    #[test]
    fn an_error_names_a_missing_program() {
        let error = run(&mut Command::new("latchkey-no-such-program"))
            .expect_err("there is no such program");
        assert_eq!(
            error.to_string(),
            "`latchkey-no-such-program` is not installed, or not on PATH"
        );
        assert_eq!(on_path(&["latchkey-no-such-program"]), None);
        assert!(on_path(&["latchkey-no-such-program", "sh"]).is_some());
    }
}
