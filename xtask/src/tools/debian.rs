//! Installs the programs that tests need with apt: browser, database, gateways, compilers.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::progress;

/// The variable with the browser's path; if it is set, no browser is searched for or installed.
pub(crate) const CHROMIUM_SETTING: &str = "LATCHKEY_CHROMIUM";

/// The browser for Playwright: from the setting, from PATH, or installed from Debian.
///
/// # Errors
/// If it is missing and apt cannot install it.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(CHROMIUM_SETTING).map(PathBuf::from) {
        if !path.is_file() {
            bail!(
                "{CHROMIUM_SETTING} is {}, which is not a file",
                path.display()
            );
        }
        return Ok(path);
    }
    let installed = || command::on_path(&["chromium", "chromium-browser", "google-chrome"]);
    if let Some(path) = installed() {
        return Ok(path);
    }
    apt_install("chromium", "the tests' browser", "1 min, once")
        .with_context(|| format!("install Chromium, or set {CHROMIUM_SETTING} to its path"))?;
    installed().context("apt-get installed chromium, but it is not on PATH")
}

/// The folder with `initdb` and `postgres`, which are installed if missing.
///
/// # Errors
/// If it is missing and apt cannot install it.
pub(crate) fn postgres_binaries() -> Result<PathBuf> {
    if let Some(folder) = installed_postgres() {
        return Ok(folder);
    }
    apt_install("postgresql", "the tests' second database", "30 s, once")
        .context("install PostgreSQL, or set TEST_DATABASE_URL to the URL of a server, with a user that may create databases")?;
    installed_postgres()
        .context("apt-get installed postgresql, but there is no initdb below /usr/lib/postgresql")
}

/// The folder with `initdb` and `postgres`, if installed: the newest version of Debian's packages, otherwise from PATH.
pub(crate) fn installed_postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse::<u32>().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .max();
    newest
        .map(|(_, folder)| folder)
        .or_else(|| command::on_path(&["initdb"])?.parent().map(PathBuf::from))
}

/// Installs the tools that tests apply to processes: faketime and strace.
///
/// # Errors
/// If one is missing and apt cannot install it.
pub(crate) fn process_tools() -> Result<()> {
    for (program, purpose) in [
        ("faketime", "a wrong clock for tests"),
        ("strace", "system calls of a process"),
    ] {
        if command::on_path(&[program]).is_none() {
            apt_install(program, purpose, "5 s, once")
                .with_context(|| format!("install {program}"))?;
        }
    }
    Ok(())
}

/// Installs the gateways that tests run in front of a service.
///
/// # Errors
/// If one is missing and apt cannot install it.
pub(crate) fn gateways() -> Result<()> {
    for (program, package) in [
        ("nginx", "nginx-light"),
        ("caddy", "caddy"),
        ("haproxy", "haproxy"),
        ("apache2", "apache2"),
    ] {
        // /usr/sbin is not in every user's PATH.
        let installed = || {
            PathBuf::from("/usr/sbin").join(program).is_file()
                || command::on_path(&[program]).is_some()
        };
        if !installed() {
            apt_install(package, "a gateway of the tests", "10 s, once")
                .with_context(|| format!("install {program}"))?;
        }
        if !installed() {
            bail!("apt-get installed {package}, but there is no {program}");
        }
    }
    Ok(())
}

/// Debian's folder of Go libraries.
pub(crate) const GO_LIBRARIES: &str = "/usr/share/gocode";

/// Installs the toolchains of generated clients: Java for the generator; Go and the libraries that the Go client imports.
///
/// # Errors
/// If one is missing and apt cannot install it.
pub(crate) fn client_toolchains() -> Result<()> {
    if command::on_path(&["java"]).is_none() {
        apt_install(
            "default-jre-headless",
            "Java for openapi-generator",
            "20 s, once",
        )
        .context("install Java 11 or later")?;
    }
    if command::on_path(&["go"]).is_none() {
        apt_install(
            "golang-go",
            "the compiler of a generated client",
            "20 s, once",
        )
        .context("install Go")?;
    }
    for (library, package) in [
        ("gopkg.in/validator.v2", "golang-gopkg-validator.v2-dev"),
        (
            "github.com/stretchr/testify",
            "golang-github-stretchr-testify-dev",
        ),
    ] {
        let source = PathBuf::from(GO_LIBRARIES).join("src").join(library);
        if !source.is_dir() {
            apt_install(package, "imported by a generated client", "5 s, once")
                .with_context(|| format!("install {package}"))?;
        }
    }
    Ok(())
}

pub(super) fn apt_install(package: &str, purpose: &str, usually: &str) -> Result<()> {
    if command::on_path(&["apt-get"]).is_none() {
        bail!("{package} ({purpose}) is missing, and there is no apt-get to install it");
    }
    let apt_get = |arguments: &[&str]| -> Result<()> {
        // sudo drops the environment, so `env` sets it again after sudo.
        let mut command = if is_root()? {
            Command::new("env")
        } else {
            Command::new("sudo")
        };
        if !is_root()? {
            command.arg("env");
        }
        command::run(
            command
                .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"])
                .args(arguments),
        )
    };
    progress::step(
        &format!("Installing {package}, {purpose}, with apt-get"),
        usually,
        || {
            apt_get(&["update"])?;
            apt_get(&["install", "-y", "--no-install-recommends", package])
        },
    )
    .context("apt-get needs the network and the right to install packages")
}

/// Whether this process runs as root.
///
/// # Errors
/// If `id` cannot be run.
pub(crate) fn is_root() -> Result<bool> {
    Ok(command::output(Command::new("id").arg("-u"))?.trim() == "0")
}
