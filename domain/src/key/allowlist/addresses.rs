//! The addresses that an allowlist admits, as sorted spans for fast lookups.

use ipnetwork::IpNetwork;
use std::net::IpAddr;

use crate::client_address::ClientAddress;

/// The addresses that an allowlist admits. A lookup uses binary search and does not allocate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Every address, including an unknown one: the allowlist is empty.
    All,
    /// The addresses of these spans, which are sorted and neither overlap nor touch.
    Listed {
        /// The IPv4 spans.
        ipv4: Box<[Span<u32>]>,
        /// The IPv6 spans.
        ipv6: Box<[Span<u128>]>,
    },
}

/// The addresses from `first` to `last`, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span<Number> {
    first: Number,
    last: Number,
}

impl Addresses {
    /// The addresses of `networks`; all addresses if there are none.
    pub(super) fn of_networks(networks: &[IpNetwork]) -> Self {
        if networks.is_empty() {
            return Self::All;
        }
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNetwork::V4(network) => ipv4.push(Span {
                    first: u32::from(network.network()),
                    last: u32::from(network.broadcast()),
                }),
                IpNetwork::V6(network) => ipv6.push(Span {
                    first: u128::from(network.network()),
                    last: u128::from(network.broadcast()),
                }),
            }
        }
        Self::Listed {
            ipv4: joined(ipv4, |number| number.saturating_add(1)),
            ipv6: joined(ipv6, |number| number.saturating_add(1)),
        }
    }

    /// Whether a request from `client` is admitted. No list contains an unknown client.
    #[must_use]
    pub fn admit(&self, client: ClientAddress) -> bool {
        match (self, client.ip()) {
            (Self::All, _) => true,
            (Self::Listed { .. }, None) => false,
            (Self::Listed { ipv4, .. }, Some(IpAddr::V4(address))) => {
                has(ipv4, Span::one(address.into()))
            }
            (Self::Listed { ipv6, .. }, Some(IpAddr::V6(address))) => {
                has(ipv6, Span::one(address.into()))
            }
        }
    }

    /// Whether this admits every client that `other` admits, including an unknown client, which only the empty list admits.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Listed { .. }, Self::All) => false,
            (
                Self::Listed { ipv4, ipv6 },
                Self::Listed {
                    ipv4: other_ipv4,
                    ipv6: other_ipv6,
                },
            ) => {
                other_ipv4.iter().all(|span| has(ipv4, *span))
                    && other_ipv6.iter().all(|span| has(ipv6, *span))
            }
        }
    }
}

#[cfg(feature = "store")]
impl Addresses {
    /// The size of the spans in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Listed { ipv4, ipv6 } => size_of_val(&**ipv4) + size_of_val(&**ipv6),
        }
    }
}

impl<Number: Copy> Span<Number> {
    const fn one(address: Number) -> Self {
        Self {
            first: address,
            last: address,
        }
    }
}

/// Whether one of the spans contains the whole of `wanted`. This suffices, because adjacent spans are joined.
fn has<Number: Copy + Ord>(spans: &[Span<Number>], wanted: Span<Number>) -> bool {
    let next = spans.partition_point(|span| span.first <= wanted.first);
    next.checked_sub(1)
        .and_then(|index| spans.get(index))
        .is_some_and(|span| wanted.last <= span.last)
}

/// The spans in order, with touching and overlapping ones joined.
fn joined<Number: Copy + Ord>(
    mut spans: Vec<Span<Number>>,
    next: impl Fn(Number) -> Number,
) -> Box<[Span<Number>]> {
    spans.sort_unstable();
    let mut joined = Vec::<Span<Number>>::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.first <= next(last.last) => last.last = last.last.max(span.last),
            _ => joined.push(span),
        }
    }
    joined.into_boxed_slice()
}
