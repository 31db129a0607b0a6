//! "Would it pass?": a simulated request. The URL holds its fields, so that it can be shared.

use std::net::IpAddr;

use chrono::{DateTime, Datelike as _, NaiveTime, Utc};
use domain::{
    id::KeyId,
    key::{expiry::ExpirationDate, simulation::SimulatedRequest},
};

use crate::urls::{self, TenantQuery};

/// The id of the form's heading, the target of links to a result.
pub(super) const ANCHOR: &str = "probe-title";

/// The longest accepted value of a field, in characters.
const MAX_LENGTH: usize = 100;

const NO_ADDRESS: &str = "Must be an IP address, like 203.0.113.7 or 2001:db8::7";
const NO_PERMISSION: &str = "Must be resource:action, like orders:read";
const NO_TIME: &str = "Must be a time, like 2027-07-01 00:00";

/// The typed values of the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TrialQuery {
    /// The client's address; empty for an unknown one.
    pub(super) ip: String,
    /// The permission that the request requires; empty for none.
    pub(super) permission: String,
    /// The time of the request, UTC; empty for now.
    pub(super) at: String,
    /// Whether the form was sent.
    pub(super) is_asked: bool,
}

/// The error messages of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TrialErrors {
    pub(super) ip: Option<&'static str>,
    pub(super) permission: Option<&'static str>,
    pub(super) at: Option<&'static str>,
}

impl TrialQuery {
    /// Reads the parameters of a URL by name.
    pub(super) fn new(parameter: impl Fn(&str) -> Option<String>) -> Self {
        let fields = ["ip", "permission", "at"].map(parameter);
        let is_asked = fields.iter().any(Option::is_some);
        let [ip, permission, at] = fields.map(|value| {
            let value = value.unwrap_or_default();
            value.trim().chars().take(MAX_LENGTH).collect()
        });
        Self {
            ip,
            permission,
            at,
            is_asked,
        }
    }

    /// A simulated request that sets only the address.
    pub(super) fn of_address(ip: &str) -> Self {
        Self {
            ip: ip.to_owned(),
            is_asked: true,
            ..Self::default()
        }
    }

    /// The simulated request, if the form was sent.
    ///
    /// # Errors
    /// The error messages of invalid fields.
    pub(super) fn question(&self) -> Result<Option<SimulatedRequest>, TrialErrors> {
        if !self.is_asked {
            return Ok(None);
        }
        let ip = address(&self.ip);
        let permission = match self.permission.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| NO_PERMISSION),
        };
        let at = match self.at.as_str() {
            "" => Ok(None),
            text => time(text).map(Some).ok_or(NO_TIME),
        };
        match (ip, permission, at) {
            (Ok(ip), Ok(permission), Ok(at)) => Ok(Some(SimulatedRequest { ip, permission, at })),
            (ip, permission, at) => Err(TrialErrors {
                ip: ip.err(),
                permission: permission.err(),
                at: at.err(),
            }),
        }
    }

    /// The URL of the key's page with this simulated request.
    pub(super) fn url(&self, tenant: &TenantQuery, id: KeyId) -> String {
        let url = tenant.url_with(
            &urls::key(&id.to_string()),
            &[
                ("ip", &self.ip),
                ("permission", &self.permission),
                ("at", &self.at),
            ],
        );
        format!("{url}#{ANCHOR}")
    }
}

fn address(text: &str) -> Result<Option<IpAddr>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let address: IpAddr = text.parse().map_err(|_| NO_ADDRESS)?;
    // Allowlists and results show an IPv4-mapped address as IPv4.
    Ok(Some(address.to_canonical()))
}

/// Whether the text is one address.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Parses a time, only as `2027-07-01 00:00` in the years 0001 to 9999.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let (date, clock) = text.split_once(' ')?;
    let is_written_out = clock.len() == 5
        && (clock.bytes().enumerate()).all(|(index, byte)| match index {
            2 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if !is_written_out {
        return None;
    }
    let date = date.parse::<ExpirationDate>().ok()?.date();
    let clock = NaiveTime::parse_from_str(clock, "%H:%M").ok()?;
    (1..=9999)
        .contains(&date.year())
        .then(|| date.and_time(clock).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(parameters: &[(&str, &str)]) -> TrialQuery {
        TrialQuery::new(|name| {
            let found = parameters.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_url_without_a_field_asks_nothing_and_empty_fields_ask_about_an_unknown_address_now() {
        assert_eq!(query(&[("tenant", "acme")]).question(), Ok(None));
        assert_eq!(
            query(&[("ip", ""), ("permission", " "), ("at", "")]).question(),
            Ok(Some(SimulatedRequest::default()))
        );
    }

    #[test]
    fn a_question_reads_address_permission_and_time() {
        let asked = query(&[
            ("ip", " ::ffff:203.0.113.7 "),
            ("permission", "orders:read"),
            ("at", "2027-07-01 00:00"),
        ]);
        let question = asked.question().unwrap().unwrap();
        assert_eq!(question.ip.unwrap().to_string(), "203.0.113.7");
        assert_eq!(question.permission.unwrap().as_str(), "orders:read");
        assert_eq!(
            question.at.unwrap().to_rfc3339(),
            "2027-07-01T00:00:00+00:00"
        );
    }

    #[test]
    fn each_field_that_cannot_be_read_has_its_own_message() {
        let wrong = query(&[
            ("ip", "10.0.0.0/8"),
            ("permission", "orders"),
            ("at", "now"),
        ]);
        assert_eq!(
            wrong.question(),
            Err(TrialErrors {
                ip: Some(NO_ADDRESS),
                permission: Some(NO_PERMISSION),
                at: Some(NO_TIME),
            })
        );
        for at in [
            "2027-07-01",
            "2027-07-01T00:00",
            "2027-02-30 00:00",
            "2027-07-01 24:00",
            "2027-07-01 0:000",
            "0000-07-01 00:00",
            "+2027-7-01 00:00",
            "1/07/2027 00:00",
            "２027-07-01 00:00",
        ] {
            let errors = query(&[("at", at)]).question().unwrap_err();
            assert_eq!((errors.ip, errors.at), (None, Some(NO_TIME)), "{at}");
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let long = "9".repeat(10_000);
        assert_eq!(query(&[("ip", &long)]).ip.len(), MAX_LENGTH);
    }

    #[test]
    fn a_url_returns_the_same_question() {
        let id: KeyId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let asked = query(&[("ip", "2001:db8::7"), ("at", "2027-07-01 00:00")]);
        assert_eq!(
            asked.url(&TenantQuery(Some("acme".to_owned())), id),
            "/tenant-api-keys/01890a5d-ac96-774b-bcce-b302099a8057?tenant=acme&ip=2001%3Adb8%3A%3A7&at=2027-07-01%2000%3A00#probe-title"
        );
    }
}
