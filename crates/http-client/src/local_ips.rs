//! The option `localIPs`: addresses from which VUs connect, a different one for each VU as far as they suffice.

use std::net::IpAddr;

use ipnet::IpNet;

/// The address number `index` of `ranges` (`a`, `a-b` and `a/prefix`, separated by commas), starting again
/// after the last. The first and the last address of an IPv4 network are skipped, since they belong to no host.
pub fn nth(ranges: &str, index: u64) -> Option<IpAddr> {
    let ranges: Option<Vec<Range>> = ranges.split(',').map(Range::parse).collect();
    let ranges = ranges?;
    let count: u128 = ranges.iter().map(|range| range.count).sum();
    let mut index = u128::from(index).checked_rem(count)?;
    for range in ranges {
        if index < range.count {
            return Some(range.at(index));
        }
        index -= range.count;
    }
    None
}

struct Range {
    first: u128,
    count: u128,
    is_v4: bool,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.contains('/') {
            return text.parse().ok().map(Self::network);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last): (IpAddr, IpAddr) =
            (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let (from, to) = (number(first), number(last));
        Some(Self {
            first: from,
            count: to.checked_sub(from)?.checked_add(1)?,
            is_v4: first.is_ipv4(),
        })
    }

    fn network(network: IpNet) -> Self {
        let free = u32::from(network.max_prefix_len() - network.prefix_len());
        let size = 1_u128.checked_shl(free).unwrap_or(u128::MAX);
        let is_v4 = matches!(network, IpNet::V4(_));
        let has_ends = is_v4 && free > 1;
        Self {
            first: number(network.network()) + u128::from(has_ends),
            count: size - 2 * u128::from(has_ends),
            is_v4,
        }
    }

    fn at(&self, index: u128) -> IpAddr {
        let number = self.first + index;
        if self.is_v4 {
            IpAddr::V4((number as u32).into())
        } else {
            IpAddr::V6(number.into())
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ranges: &str, expected: &[&str]) {
        for (index, expected) in (0..).zip(expected) {
            let found = nth(ranges, index).map(|ip| ip.to_string());
            assert_eq!(found.as_deref(), Some(*expected), "{index} of {ranges}");
        }
    }

    #[test]
    fn every_virtual_user_has_the_next_address() {
        check("127.0.0.77", &["127.0.0.77", "127.0.0.77"]);
        check("127.0.0.8/30", &["127.0.0.9", "127.0.0.10", "127.0.0.9"]);
        check("127.0.0.6/30", &["127.0.0.5", "127.0.0.6"]);
        check("127.0.0.4/31", &["127.0.0.4", "127.0.0.5", "127.0.0.4"]);
        check("127.0.0.8/32", &["127.0.0.8"]);
        check(
            "127.0.0.5-127.0.0.6,127.0.0.9",
            &["127.0.0.5", "127.0.0.6", "127.0.0.9", "127.0.0.5"],
        );
        check("fd00::1-fd00::2", &["fd00::1", "fd00::2", "fd00::1"]);
    }

    #[test]
    fn an_invalid_range_has_no_address() {
        for bad in ["foo", "127.0.0.9-127.0.0.5", "1.2.3.4/33", ""] {
            assert_eq!(nth(bad, 0), None, "{bad}");
        }
    }
}
