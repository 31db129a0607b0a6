//! The client address of a request. One function determines it for allowlist, audit log and throttles.

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use crate::network::parse_network;

/// The client address of one request, in canonical form: an IPv4-mapped IPv6 address becomes its IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClientAddress {
    /// The address of the client.
    Known(IpAddr),
    /// A trusted proxy named no usable client. Equal to no address.
    Unknown,
}

impl ClientAddress {
    /// A known address, in canonical form.
    #[must_use]
    pub fn known(address: IpAddr) -> Self {
        Self::Known(address.to_canonical())
    }

    /// The address, if it is known.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(address),
            Self::Unknown => None,
        }
    }

    /// The client as throttles count it: an IPv6 address by its /64, the prefix that one customer of a provider typically has.
    #[must_use]
    pub fn throttle_key(self) -> String {
        match self {
            Self::Known(IpAddr::V4(address)) => address.to_string(),
            Self::Known(IpAddr::V6(address)) => {
                let network = u128::from(address) & !(u128::from(u64::MAX));
                format!("{}/64", Ipv6Addr::from(network))
            }
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(address) => address.fmt(formatter),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// The networks of the proxies whose `X-Forwarded-For` is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNetwork>);

impl TrustedProxies {
    /// Whether `address` is in one of the networks.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An entry of a list of proxies that is not an address or a CIDR range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an IP address or CIDR range")]
pub struct InvalidProxy(String);

impl FromStr for TrustedProxies {
    type Err = InvalidProxy;

    /// Parses addresses and CIDR ranges separated by commas, by the grammar of an allowlist line.
    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| parse_network(entry).ok_or_else(|| InvalidProxy(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The client of a request from `peer` with these values of `X-Forwarded-For`, one per header line, in order.
///
/// This is the peer, unless it is trusted. Otherwise it is the right-most untrusted address over all lines: each trusted proxy appends the
/// address of its peer, and the client can choose everything left of that. An entry that cannot be parsed makes the address unknown,
/// because the entries left of it cannot be trusted either.
#[must_use]
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &TrustedProxies,
) -> ClientAddress {
    if !trusted.contains(peer) {
        return ClientAddress::known(peer);
    }
    for line in forwarded_for.rev() {
        let Ok(line) = std::str::from_utf8(line) else {
            return ClientAddress::Unknown;
        };
        for entry in line.rsplit(',') {
            match parse_forwarded(entry.trim_matches([' ', '\t'])) {
                Some(address) if trusted.contains(address) => {}
                Some(address) => return ClientAddress::known(address),
                None => return ClientAddress::Unknown,
            }
        }
    }
    ClientAddress::Unknown
}

/// Parses an entry of `X-Forwarded-For`: an address, with a port if the proxy adds one (`192.0.2.1:443`, `[2001:db8::1]:443`).
fn parse_forwarded(entry: &str) -> Option<IpAddr> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = entry.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let bracketed = entry.strip_prefix('[')?.strip_suffix(']')?;
    bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}
