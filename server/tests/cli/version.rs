//! `latchkey --version`.

use crate::support::binary::Latchkey;

#[test]
fn the_version_names_commit_and_licence_and_needs_no_database() {
    let latchkey = Latchkey::new().with("DATABASE_URL", "nonsense");
    let run = latchkey.run(&["--version"]);
    let lines: Vec<_> = run.expect_success().stdout.lines().collect();
    let [version, commit, licence] = lines.as_slice() else {
        panic!("three lines: {lines:?}");
    };
    assert_eq!(
        *version,
        concat!("latchkey ", env!("CARGO_PKG_VERSION")),
        "the version of the workspace"
    );
    let commit = commit.strip_prefix("commit: ").expect("the commit");
    assert!(
        commit == "unknown" || commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{commit}"
    );
    assert_eq!(*licence, "license: MIT OR Apache-2.0");
    let short = latchkey.run(&["-V"]);
    assert_eq!(short.expect_success().stdout.trim_end(), *version);
}
