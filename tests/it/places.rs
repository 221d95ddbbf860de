//! The places of runners and a collector: one machine, or a network namespace for each; and the target between them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::binary::sparring;

const TENTH: Duration = Duration::from_millis(100);
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Counts requests by path. Delays the responses of requests that ask for it, by that many tenths of a second.
pub struct Target {
    pub address: SocketAddr,
    seen: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Target {
    pub fn start(ip: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seen: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let counts = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || serve(stream, &counts));
            }
        });
        Self { address, seen }
    }

    pub fn count(&self, path: &str) -> u64 {
        let seen = self.seen.lock().expect("not poisoned");
        seen.get(path).copied().unwrap_or_default()
    }
}

fn serve(stream: TcpStream, counts: &Mutex<BTreeMap<String, u64>>) {
    let Ok(mut answers) = stream.try_clone() else {
        return;
    };
    let mut lines = BufReader::new(stream).lines();
    let mut path = String::new();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            let (name, query) = path.split_once('?').unwrap_or((&path, ""));
            let mut counts = counts.lock().expect("not poisoned");
            *counts.entry(name.to_owned()).or_default() += 1;
            drop(counts);
            if let Some(tenths) = query.strip_prefix("slow=") {
                std::thread::sleep(TENTH * tenths.parse().expect("a number"));
            }
            if answers
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .is_err()
            {
                return;
            }
        } else if line.ends_with("HTTP/1.1") {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
    }
}

/// The places of runners and collector.
pub trait Place {
    /// The prefix of a member's command; runners are 0, 1, 2, the collector is 3.
    fn prefix(&self, member: usize) -> Vec<String>;
    fn collector(&self) -> Ipv4Addr;
    fn target(&self) -> Ipv4Addr;
    /// Whether the third runner's network is slow; otherwise its script requests slow responses.
    fn is_slow(&self) -> bool;
}

pub struct OneMachine;

impl Place for OneMachine {
    fn prefix(&self, _: usize) -> Vec<String> {
        Vec::new()
    }

    fn collector(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    fn target(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    fn is_slow(&self) -> bool {
        false
    }
}

/// A namespace for each member, on one bridge; the target is on the bridge itself.
pub struct Namespaces {
    id: u32,
    /// Distinguishes the namespaces of several tests of one process.
    number: u8,
    is_slow: bool,
}

impl Namespaces {
    /// `None` with a message if namespaces are not permitted, unless `REQUIRE_NAMESPACES` is set, as in CI where they
    /// are available.
    pub fn make(number: u8) -> Option<Self> {
        let mut made = Self {
            id: std::process::id() % 100_000,
            number,
            is_slow: false,
        };
        match made.build() {
            Ok(()) => Some(made),
            Err(why) => {
                let is_required = std::env::var_os("REQUIRE_NAMESPACES").is_some();
                assert!(
                    !is_required,
                    "network namespaces cannot be made here: {why}"
                );
                eprintln!("skipped: network namespaces cannot be made here: {why}");
                None
            }
        }
    }

    /// The bridge has a namespace of its own: a firewall of this machine, such as Docker's, drops what a
    /// bridge of the machine forwards.
    fn build(&mut self) -> Result<(), String> {
        let (hub, outside) = (self.hub(), self.outside());
        ip(&["netns", "add", &hub])?;
        ip(&["-n", &hub, "link", "add", "hub0", "type", "bridge"])?;
        ip(&["-n", &hub, "link", "set", "hub0", "up"])?;
        ip(&[
            "link", "add", &outside, "type", "veth", "peer", "name", "out", "netns", &hub,
        ])?;
        ip(&["-n", &hub, "link", "set", "out", "master", "hub0", "up"])?;
        ip(&[
            "addr",
            "add",
            &format!("{}/24", self.address(254)),
            "dev",
            &outside,
        ])?;
        ip(&["link", "set", &outside, "up"])?;
        for member in 0..4 {
            let (name, port) = (self.name(member), format!("port{member}"));
            ip(&["netns", "add", &name])?;
            ip(&[
                "-n", &name, "link", "add", "eth0", "type", "veth", "peer", "name", &port, "netns",
                &hub,
            ])?;
            ip(&["-n", &hub, "link", "set", &port, "master", "hub0", "up"])?;
            let address = format!("{}/24", self.address(member as u8 + 1));
            ip(&["-n", &name, "addr", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &name, "link", "set", "eth0", "up"])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
        }
        let netem = [
            "netns", "exec", &hub, "tc", "qdisc", "add", "dev", "port2", "root", "netem", "delay",
            "50ms",
        ];
        self.is_slow = ip(&netem).is_ok();
        Ok(())
    }

    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, 77 + self.number, host)
    }

    fn hub(&self) -> String {
        format!("sp{}-{}hub", self.id, self.number)
    }

    /// The bridge's end on this machine.
    fn outside(&self) -> String {
        format!("sp{}o{}", self.id, self.number)
    }

    fn name(&self, member: usize) -> String {
        format!("sp{}-{}{member}", self.id, self.number)
    }
}

impl Place for Namespaces {
    fn prefix(&self, member: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.name(member)]
            .map(str::to_owned)
            .to_vec()
    }

    fn collector(&self) -> Ipv4Addr {
        self.address(4)
    }

    fn target(&self) -> Ipv4Addr {
        self.address(254)
    }

    fn is_slow(&self) -> bool {
        self.is_slow
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // A link is removed together with one of its ends.
        drop(ip(&["link", "del", &self.outside()]));
        for name in (0..4).map(|member| self.name(member)).chain([self.hub()]) {
            drop(ip(&["netns", "del", &name]));
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let program = "ip";
    let done = Command::new(program)
        .args(words)
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("{program} {}: {said}", words.join(" ")))
    }
}

/// `sparring` with these arguments, at a member's place.
pub fn at(place: &dyn Place, member: usize, words: &[&str]) -> Command {
    let own = sparring();
    let mut all = place.prefix(member);
    all.push(own.get_program().to_string_lossy().into_owned());
    let mut command = Command::new(&all[0]);
    command.args(&all[1..]).args(words);
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// A process that is killed when a test abandons it.
pub struct Member(pub Child);

impl Member {
    pub fn end(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("it can be asked") {
                return status.code();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "a member of the run does not end"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
