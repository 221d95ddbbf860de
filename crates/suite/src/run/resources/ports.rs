//! Local ports used by connections to the target, proc_net_tcp(5).
//!
//! A connection occupies its port for a minute after its end. If no port is left for an address of the target, requests
//! fail without reaching it.

use std::collections::HashMap;
use std::fs::read_to_string;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

/// Number of samples between readings: the files have a line for each connection of the machine.
const EVERY: u32 = 5;

/// Counts ports repeatedly.
#[derive(Debug)]
pub struct Ports {
    /// Addresses of the target in the files' notation; empty if no address is known.
    targets: Vec<String>,
    range: Option<f64>,
    samples: u32,
    last: Option<f64>,
}

impl Ports {
    /// Counts connections to the host and port of a URL.
    pub fn to(base_url: &str) -> Self {
        let addresses = authority(base_url).and_then(|it| it.to_socket_addrs().ok());
        let range = read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
        Self {
            targets: addresses.into_iter().flatten().map(written).collect(),
            range: range.and_then(|text| size(&text)),
            samples: 0,
            last: None,
        }
    }

    /// The share of the local ports that is in use, for the local address that uses most.
    pub fn ratio(&mut self) -> Option<f64> {
        let range = self.range.filter(|_| !self.targets.is_empty())?;
        if self.samples.is_multiple_of(EVERY) {
            let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
            let tables = tables.iter().filter_map(|path| read_to_string(path).ok());
            let most = tables.map(|table| most_used(&table, &self.targets)).max();
            self.last = most.map(|most| most as f64 / range);
        }
        self.samples += 1;
        self.last
    }
}

/// Whether the host of a URL has an address of this machine: only such an address can be bound.
pub fn is_here(base_url: &str) -> bool {
    let addresses = authority(base_url).and_then(|it| it.to_socket_addrs().ok());
    let can_bind = |address: SocketAddr| UdpSocket::bind((address.ip(), 0)).is_ok();
    addresses.into_iter().flatten().any(can_bind)
}

/// Host and port of `http://HOST[:PORT]/…`.
fn authority(url: &str) -> Option<(String, u16)> {
    let uri: http::Uri = url.parse().ok()?;
    let port = uri.port_u16().or(match uri.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    })?;
    let host = uri.host()?.trim_matches(['[', ']']);
    Some((host.to_owned(), port))
}

/// `0100007F:1F40` is 127.0.0.1:8000: each group of four bytes is in the machine's byte order.
fn written(address: SocketAddr) -> String {
    let word = |bytes: &[u8]| {
        let bytes = <[u8; 4]>::try_from(bytes).unwrap_or_default();
        format!("{:08X}", u32::from_ne_bytes(bytes))
    };
    let host = match address {
        SocketAddr::V4(address) => word(&address.ip().octets()),
        SocketAddr::V6(address) => address.ip().octets().chunks(4).map(word).collect(),
    };
    format!("{host}:{:04X}", address.port())
}

/// The number of ports in a range such as `32768 60999`.
fn size(range: &str) -> Option<f64> {
    let mut ends = range.split_whitespace().map(str::parse::<f64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    (last >= first).then_some(last - first + 1.0)
}

/// The number of connections from the local address with most connections to one target, whatever their
/// state.
fn most_used(table: &str, targets: &[String]) -> usize {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    for line in table.lines().skip(1) {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(remote)) = (fields.next(), fields.next()) else {
            continue;
        };
        if targets.iter().any(|target| target == remote) {
            let host = local.split(':').next().unwrap_or_default();
            *counts.entry((host, remote)).or_default() += 1;
        }
    }
    counts.into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_are_counted_by_local_address() {
        let table = "  sl  local_address rem_address   st\n\
            0: 0100007F:1F40 00000000:0000 0A\n\
            1: 0100007F:C001 0100007F:1F40 01\n\
            2: 0100007F:C002 0100007F:1F40 06\n\
            3: 0200007F:C001 0100007F:1F40 01\n\
            4: 0100007F:1F40 0100007F:C001 01\n";
        assert_eq!(most_used(table, &["0100007F:1F40".to_owned()]), 2);
        assert_eq!(most_used(table, &[]), 0);
        assert_eq!(size("32768\t60999\n"), Some(28_232.0));
        assert_eq!(size("nonsense"), None);
    }

    #[test]
    fn urls_have_an_address() {
        let check = |url, expected: Option<(&str, u16)>| {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(authority(url), expected, "{url}");
        };
        check("http://127.0.0.1:8000", Some(("127.0.0.1", 8000)));
        check("https://example.com/a", Some(("example.com", 443)));
        check("http://[::1]:9", Some(("::1", 9)));
        check("nonsense", None);
    }

    #[test]
    fn only_addresses_of_this_machine_are_here() {
        for (url, expected) in [
            ("http://127.0.0.1:8000", true),
            ("http://localhost:8000", true),
            // Reserved for documentation (RFC 5737), so no machine has it.
            ("http://192.0.2.1:8000", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_here(url), expected, "{url}");
        }
    }

    #[test]
    fn open_connections_use_ports_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let url = format!("http://{address}");
        assert_eq!(Ports::to(&url).ratio(), Some(0.0));
        let open: Vec<TcpStream> = (0..50)
            .map(|_| TcpStream::connect(address).expect("it listens"))
            .collect();
        let mut ports = Ports::to(&url);
        let ratio = ports.ratio().expect("procfs");
        let used = ratio * ports.range.expect("procfs");
        assert_eq!(used.round(), 50.0);
        drop(open);
        assert_eq!(Ports::to("nonsense").ratio(), None);
    }
}
