//! The server takes in what Trunk built for the browser. A plain `cargo build` must work without Trunk too, so the two
//! folders are made when absent: the pages then come without scripts.

fn main() -> std::io::Result<()> {
    for folder in ["../dist/debug", "../dist/release"] {
        std::fs::create_dir_all(folder)?;
    }
    // Only the folder of this profile: a new release bundle must not compile the debug server again.
    #[expect(
        clippy::disallowed_methods,
        reason = "Cargo speaks to a build script by its environment"
    )]
    let release = std::env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    let folder = if release { "release" } else { "debug" };
    println!("cargo:rerun-if-changed=../dist/{folder}");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
