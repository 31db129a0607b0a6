//! Names and limits of the counters of failed sign-ins.

use crate::{client_address::ClientAddress, store::random};

/// Failures of one account from one address in a window: enough attempts for a person to try each of their passwords.
const ACCOUNT_FAILURES: i64 = 10;

/// Failures from one address in a window over all accounts, which bounds trying one password on many accounts. Above [`ACCOUNT_FAILURES`],
/// because colleagues share an address, and one forgotten password must not lock out the others.
const ADDRESS_FAILURES: i64 = 50;

/// Maximum number of rows that one sign-in deletes. It adds at most two, so the table shrinks.
pub(super) const CLEARED_AT_ONCE: u64 = 100;

/// The counters of one sign-in attempt: two buckets and an account.
pub(in crate::store) struct Buckets {
    pub(super) account: String,
    pub(super) account_and_address: String,
    address: String,
}

impl Buckets {
    /// `account` is the email in normal form; the user need not exist. The names are digests, so the tables contain neither addresses nor
    /// text that was typed by mistake.
    pub(super) fn of(account: &str, client: ClientAddress) -> Self {
        let account = account_part(account);
        Self {
            account_and_address: format!("{account}{}", address_part(client)),
            account,
            address: part(&format!("address alone:{}", client.throttle_key())),
        }
    }

    pub(super) fn limits(&self) -> [(&str, i64); 2] {
        [
            (&self.account_and_address, ACCOUNT_FAILURES),
            (&self.address, ADDRESS_FAILURES),
        ]
    }
}

/// The prefix of all counters of `account`.
pub(super) fn account_part(account: &str) -> String {
    part(&format!("account:{account}"))
}

/// The stored form of a client's address; for IPv6, of its /64.
pub(super) fn address_part(client: ClientAddress) -> String {
    part(&format!("address:{}", client.throttle_key()))
}

/// The counter of a client's single sign-ons with this outcome.
pub(in crate::store) fn of_single_sign_on(outcome: &str, client: ClientAddress) -> String {
    part(&format!(
        "single sign-on:{}:{outcome}",
        client.throttle_key()
    ))
}

/// 128 bits of a digest, in hexadecimal.
fn part(text: &str) -> String {
    random::digest(text)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
