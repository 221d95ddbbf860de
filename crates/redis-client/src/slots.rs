//! The slots of a cluster: the slot of a key, and the nodes that serve a slot.

use redis::Value;

/// The number of slots in a cluster.
pub(crate) const SLOTS: u16 = 16384;

/// The nodes of each range of slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SlotMap(Vec<Range>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    /// The master, then its replicas.
    nodes: Vec<String>,
}

/// The slot of a key. If there is text between its first braces, only that text counts.
pub(crate) fn of_key(key: &[u8]) -> u16 {
    crc16(tagged(key)) % SLOTS
}

fn tagged(key: &[u8]) -> &[u8] {
    let find = |in_bytes: &[u8], byte| in_bytes.iter().position(|b| *b == byte);
    let Some(begin) = find(key, b'{') else {
        return key;
    };
    let inner = &key[begin + 1..];
    match find(inner, b'}') {
        None | Some(0) => key,
        Some(end) => &inner[..end],
    }
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let mixed = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(mixed, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

impl SlotMap {
    /// Reads the reply of `CLUSTER SLOTS` from the node at `origin`. `None` if the reply has another form.
    pub(crate) fn read(reply: &Value, origin: &str) -> Option<Self> {
        let Value::Array(ranges) = reply else {
            return None;
        };
        let ranges = ranges.iter().map(|range| Range::read(range, origin));
        ranges.collect::<Option<Vec<Range>>>().map(Self)
    }

    /// The nodes of a slot, the master first.
    pub(crate) fn nodes(&self, slot: u16) -> &[String] {
        let range = self.0.iter().find(|range| range.has(slot));
        range.map_or(&[], |range| &range.nodes)
    }

    /// All masters.
    pub(crate) fn masters(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter_map(|range| range.nodes.first())
    }

    /// Records that another master serves the slot from now on.
    pub(crate) fn move_slot(&mut self, slot: u16, master: &str) {
        let moved = Range {
            first: slot,
            last: slot,
            nodes: vec![master.to_owned()],
        };
        // The first range with the slot takes precedence.
        self.0
            .retain(|range| (range.first, range.last) != (slot, slot));
        self.0.insert(0, moved);
    }
}

impl Range {
    fn has(&self, slot: u16) -> bool {
        (self.first..=self.last).contains(&slot)
    }

    fn read(range: &Value, origin: &str) -> Option<Self> {
        let Value::Array(parts) = range else {
            return None;
        };
        let [Value::Int(first), Value::Int(last), nodes @ ..] = parts.as_slice() else {
            return None;
        };
        let nodes = nodes.iter().map(|node| node_address(node, origin));
        Some(Self {
            first: u16::try_from(*first).ok()?,
            last: u16::try_from(*last).ok()?,
            nodes: nodes.collect::<Option<_>>()?,
        })
    }
}

/// `host:port` of a node. If a node does not know its own address, or reports a loopback address while it is on
/// another machine, the address of the asked node is used.
fn node_address(node: &Value, origin: &str) -> Option<String> {
    let Value::Array(parts) = node else {
        return None;
    };
    let host = match parts.first()? {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok()?,
        Value::SimpleString(text) => text.clone(),
        Value::Nil => String::new(),
        _ => return None,
    };
    let Value::Int(port) = parts.get(1)? else {
        return None;
    };
    let (origin, _) = origin.rsplit_once(':').unwrap_or((origin, ""));
    let is_vague = host.is_empty() || host == "?" || (is_loopback(&host) && !is_loopback(origin));
    Some(match is_vague {
        true => format!("{origin}:{port}"),
        false if host.contains(':') => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    })
}

fn is_loopback(host: &str) -> bool {
    let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_the_same_tag_share_a_slot() {
        // From the Redis cluster specification.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let check = |key: &str, same: &str| {
            assert_eq!(of_key(key.as_bytes()), of_key(same.as_bytes()), "{key}");
        };
        check("{user1000}.following", "user1000");
        check("foo{}{bar}", "foo{}{bar}");
        check("foo{{bar}}zap", "{bar");
        check("foo{bar}{zap}", "bar");
        assert_ne!(of_key(b"foo{}{bar}"), of_key(b"bar"));
        assert_eq!(of_key(b"foo"), 12182);
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, hosts: &[(&str, i64)]) -> Value {
        let nodes = hosts
            .iter()
            .map(|(host, port)| Value::Array(vec![bulk(host), Value::Int(*port), bulk("id")]));
        Value::Array(
            [Value::Int(first), Value::Int(last)]
                .into_iter()
                .chain(nodes)
                .collect(),
        )
    }

    #[test]
    fn the_reply_of_a_node_says_who_serves_a_slot() {
        let reply = Value::Array(vec![
            range(0, 99, &[("10.0.0.1", 7000), ("10.0.0.2", 7001)]),
            range(100, 16383, &[("", 7002), ("127.0.0.1", 7003)]),
        ]);
        let mut map = SlotMap::read(&reply, "10.0.0.9:7002").expect("a map");
        assert_eq!(map.nodes(5), ["10.0.0.1:7000", "10.0.0.2:7001"]);
        assert_eq!(map.nodes(100), ["10.0.0.9:7002", "10.0.0.9:7003"]);
        map.move_slot(5, "10.0.0.3:1");
        map.move_slot(5, "10.0.0.4:1");
        assert_eq!(map.nodes(5), ["10.0.0.4:1"]);
        assert_eq!(map.nodes(6), ["10.0.0.1:7000", "10.0.0.2:7001"]);
        assert_eq!(SlotMap::read(&Value::Okay, "h:1"), None);
    }
}
