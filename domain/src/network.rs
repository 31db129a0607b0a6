//! Parses IP addresses and CIDR ranges. Allowlists and the list of trusted proxies share this grammar.

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use std::net::{IpAddr, Ipv6Addr};

/// Parses an address (`192.0.2.7`, a network of one) or a range (`10.0.0.0/8`) into its canonical network: host bits are cleared, and an
/// IPv4-mapped range of at least 96 bits becomes the IPv4 range.
///
/// The grammar is strict, because `010.0.0.0` is decimal to people and octal in C: decimal octets and prefixes without leading zeros or
/// signs, no netmask, zone or bracket. The standard library's address parsers are equally strict; those of `ipnetwork` are not.
#[must_use]
pub fn parse_network(entry: &str) -> Option<IpNetwork> {
    let (address, prefix) = match entry.split_once('/') {
        Some((address, prefix)) => (address, Some(parse_prefix(prefix)?)),
        None => (entry, None),
    };
    match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => {
            let network = Ipv4Network::new(address, prefix.unwrap_or(32)).ok()?;
            let first = network.network();
            Ipv4Network::new(first, network.prefix())
                .ok()
                .map(IpNetwork::V4)
        }
        IpAddr::V6(address) => canonical_ipv6(address, prefix.unwrap_or(128)),
    }
}

fn canonical_ipv6(address: Ipv6Addr, prefix: u8) -> Option<IpNetwork> {
    if let (Some(mapped), 96..=128) = (address.to_ipv4_mapped(), prefix) {
        let network = Ipv4Network::new(mapped, prefix - 96).ok()?;
        return Ipv4Network::new(network.network(), network.prefix())
            .ok()
            .map(IpNetwork::V4);
    }
    let network = Ipv6Network::new(address, prefix).ok()?;
    Ipv6Network::new(network.network(), prefix)
        .ok()
        .map(IpNetwork::V6)
}

/// Parses a prefix length: `0`, or digits without a leading zero. The network checks the bound of its family.
fn parse_prefix(text: &str) -> Option<u8> {
    let decimal = matches!(text.len(), 1..=3)
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    decimal.then(|| text.parse().ok()).flatten()
}
