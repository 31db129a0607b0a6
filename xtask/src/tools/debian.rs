//! What the tests need of the system: a browser and a database, installed by apt where apt is.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::progress;

/// Names the browser instead: no other is looked for, and none installed.
pub(crate) const CHROMIUM_SETTING: &str = "LATCHKEY_CHROMIUM";

/// The browser for Playwright: the setting's, or the one on PATH, or Debian's, installed now.
///
/// # Errors
/// When there is none and apt cannot install it.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(CHROMIUM_SETTING).map(PathBuf::from) {
        if !path.is_file() {
            bail!(
                "{CHROMIUM_SETTING} names {}, which is no file",
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
        .with_context(|| format!("install Chromium, or name one in {CHROMIUM_SETTING}"))?;
    installed().context("apt-get installed chromium, but it is not on PATH")
}

/// The folder with `initdb` and `postgres`, installed now when absent.
///
/// # Errors
/// When there is none and apt cannot install it.
pub(crate) fn postgres_binaries() -> Result<PathBuf> {
    if let Some(folder) = installed_postgres() {
        return Ok(folder);
    }
    apt_install("postgresql", "the tests' second database", "30 s, once")
        .context("install PostgreSQL, or name a server for tests in TEST_DATABASE_URL (a user that may create databases)")?;
    installed_postgres()
        .context("apt-get installed postgresql, but there is no initdb below /usr/lib/postgresql")
}

/// The folder with `initdb` and `postgres`, if there is one. Debian keeps a folder a version; the newest is taken. Elsewhere `initdb` is
/// on PATH.
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

/// Installs what tests do to processes: another wall clock, and a look at what they ask of the system.
///
/// # Errors
/// When one is missing and apt cannot install it.
pub(crate) fn process_tools() -> Result<()> {
    for (program, purpose) in [
        ("faketime", "other clocks for the tests"),
        ("strace", "what a process asks of the system"),
    ] {
        if command::on_path(&[program]).is_none() {
            apt_install(program, purpose, "5 s, once")
                .with_context(|| format!("install {program}"))?;
        }
    }
    Ok(())
}

/// Installs the gateways that the tests run in front of a service.
///
/// # Errors
/// When one is missing and apt cannot install it.
pub(crate) fn gateways() -> Result<()> {
    for (program, package) in [
        ("nginx", "nginx-light"),
        ("caddy", "caddy"),
        ("haproxy", "haproxy"),
        ("apache2", "apache2"),
    ] {
        // Not every user has the first on PATH.
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

/// Where Debian keeps the source of Go's libraries.
pub(crate) const GO_LIBRARIES: &str = "/usr/share/gocode";

/// Installs what clients of the API are generated and compiled with: Java for the generator, Go with the libraries that its client
/// imports.
///
/// # Errors
/// When one is missing and apt cannot install it.
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
        bail!(
            "{package} ({purpose}) is missing, and without apt-get it cannot be installed from here"
        );
    }
    let apt_get = |arguments: &[&str]| -> Result<()> {
        // sudo forgets the environment, so it is told again behind it.
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

/// Whether we run as root: some programs want it, PostgreSQL refuses it.
///
/// # Errors
/// When `id` cannot be run.
pub(crate) fn is_root() -> Result<bool> {
    Ok(command::output(Command::new("id").arg("-u"))?.trim() == "0")
}
