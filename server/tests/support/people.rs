//! People who sign in to a server.

use std::{
    io::{Read as _, Write as _},
    process::Stdio,
};

use super::{
    binary::{Latchkey, Run},
    server::connect,
};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "violet canoe 7 orbit lantern";

/// Makes an administrator of the tenant Acme at the command line.
pub(crate) fn add_administrator(latchkey: &Latchkey, email: &str) {
    add_administrator_of(latchkey, "acme", email);
}

/// Makes an administrator of the tenant of that slug at the command line.
pub(crate) fn add_administrator_of(latchkey: &Latchkey, tenant: &str, email: &str) {
    let mut child = latchkey
        .command(&[
            "user",
            "create",
            "--email",
            email,
            "--role",
            "tenant_admin",
            "--tenant",
            tenant,
            "--password-stdin",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("latchkey runs");
    writeln!(child.stdin.take().expect("piped"), "{PASSWORD}").expect("it reads");
    Run::from(child.wait_with_output().expect("it ends")).ended_well();
}

/// What came of signing in: the status, and the cookie of the session where there is one.
pub(crate) fn sign_in(address: &str, email: &str, password: &str) -> (u16, Option<String>) {
    let body = format!(
        "email={}&password={}",
        email.replace('@', "%40"),
        password.replace(' ', "+")
    );
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {address}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(address);
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let cookie = answer
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "))
        .find(|cookie| cookie.starts_with("latchkey_session="))
        .and_then(|cookie| cookie.split(';').next())
        .map(ToOwned::to_owned);
    (status.expect("a status"), cookie)
}
