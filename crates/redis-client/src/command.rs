//! Commands in their wire form.

/// A command: its name and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(Vec<Vec<u8>>);

/// Read-only commands, in upper case and in order.
const READS: &[&str] = &[
    "BITCOUNT",
    "BITPOS",
    "DBSIZE",
    "EXISTS",
    "EXPIRETIME",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HRANDFIELD",
    "HSCAN",
    "HSTRLEN",
    "HVALS",
    "KEYS",
    "LINDEX",
    "LLEN",
    "LPOS",
    "LRANGE",
    "MGET",
    "PTTL",
    "RANDOMKEY",
    "SCAN",
    "SCARD",
    "SDIFF",
    "SINTER",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SRANDMEMBER",
    "SSCAN",
    "STRLEN",
    "SUNION",
    "TTL",
    "TYPE",
    "XLEN",
    "XRANGE",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZRANK",
    "ZREVRANGE",
    "ZREVRANGEBYSCORE",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
];

/// Commands without a key.
const KEYLESS: &[&str] = &[
    "ACL",
    "AUTH",
    "CLIENT",
    "CLUSTER",
    "COMMAND",
    "CONFIG",
    "DBSIZE",
    "ECHO",
    "FLUSHALL",
    "FLUSHDB",
    "FUNCTION",
    "HELLO",
    "INFO",
    "KEYS",
    "LASTSAVE",
    "PING",
    "RANDOMKEY",
    "SAVE",
    "SCAN",
    "SCRIPT",
    "SLOWLOG",
    "TIME",
    "WAIT",
];

impl Command {
    /// A command with this name.
    pub fn new(name: &str) -> Self {
        Self(vec![name.as_bytes().to_vec()])
    }

    /// The same with one more argument.
    pub fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.push(argument);
        self
    }

    /// Adds an argument.
    pub fn push(&mut self, argument: impl AsRef<[u8]>) {
        self.0.push(argument.as_ref().to_vec());
    }

    /// The bytes on the wire.
    pub(crate) fn packed(&self) -> Vec<u8> {
        redis::pack_command(&self.0)
    }

    fn name(&self) -> String {
        let name = self.0.first().map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(name).to_ascii_uppercase()
    }

    /// Whether the command is read-only.
    pub(crate) fn only_reads(&self) -> bool {
        READS.binary_search(&self.name().as_str()).is_ok()
    }

    /// The key that determines the node of a cluster.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        let is = |at: usize, text: &[u8]| {
            let argument = self.0.get(at);
            argument.is_some_and(|argument| argument.eq_ignore_ascii_case(text))
        };
        let at = match self.name().as_str() {
            name if KEYLESS.contains(&name) => return None,
            "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => {
                if is(2, b"0") {
                    return None;
                }
                3
            }
            "BITOP" | "OBJECT" | "XGROUP" | "XINFO" => 2,
            "MEMORY" if is(1, b"USAGE") => 2,
            "MEMORY" => return None,
            "XREAD" | "XREADGROUP" => {
                let streams = (1..self.0.len()).find(|at| is(*at, b"STREAMS"));
                streams? + 1
            }
            _ => 1,
        };
        self.0.get(at).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &str) -> Command {
        let mut words = words.split(' ');
        let command = Command::new(words.next().unwrap_or_default());
        words.fold(command, Command::arg)
    }

    #[test]
    fn commands_are_packed_with_the_lengths_of_their_words() {
        let packed = command("SET k v1").packed();
        assert_eq!(packed, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nv1\r\n");
    }

    #[test]
    fn the_key_of_a_command_is_found() {
        let check = |words: &str, expected: Option<&str>| {
            let command = command(words);
            let key = command.key().map(String::from_utf8_lossy);
            assert_eq!(key.as_deref(), expected, "{words}");
        };
        check("GET k", Some("k"));
        check("eval script 1 k v", Some("k"));
        check("EVAL script 0", None);
        check("MEMORY usage k", Some("k"));
        check("XREAD COUNT 2 STREAMS s 0", Some("s"));
        check("PING", None);
        check("GET", None);
    }

    #[test]
    fn reads_are_known_in_either_case() {
        assert!(READS.is_sorted());
        assert!(command("get k").only_reads());
        assert!(!command("SET k v").only_reads());
    }
}
