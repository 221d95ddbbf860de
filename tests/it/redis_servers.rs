//! Scripts with Redis over TLS, in clusters and behind sentinels, against real servers. The results are compared with
//! real k6's, except over TLS. Without `redis-server` and `redis-cli` the tests are skipped with a message, unless
//! `REQUIRE_REDIS` is set.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::sparring;
use crate::k6_diff::find_k6;

/// The time limit of all waits, longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, killed by its process id on drop.
struct Redis {
    port: u16,
    process: Child,
}

impl Drop for Redis {
    fn drop(&mut self) {
        // The server may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Redis {
    fn start(folder: &Path, port: u16, arguments: &[&str]) -> Self {
        let home = folder.join(port.to_string());
        std::fs::create_dir_all(&home).expect("folders can be made");
        let process = Command::new("redis-server")
            .args(arguments)
            .args(["--save", "", "--bind", "127.0.0.1", "--dir"])
            .arg(&home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was found before");
        let server = Self { port, process };
        wait_until("the server listens", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        server
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: never");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the programs are installed.
fn has_redis() -> bool {
    let is_there = |name: &str| Command::new(name).arg("--version").output().is_ok();
    if is_there("redis-server") && is_there("redis-cli") {
        return true;
    }
    let how = "install redis-server and redis-tools";
    assert!(std::env::var_os("REQUIRE_REDIS").is_none(), "{how}");
    eprintln!("SKIPPED: {how}");
    false
}

fn cli(port: u16, arguments: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    let output = command
        .args(arguments)
        .output()
        .expect("it was found before");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The log of a script, which is the same in k6.
fn check(options: &str, body: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = format!(
        "import redis from 'k6/experimental/redis';
         export const options = {{ iterations: 1 }};
         const client = new redis.Client({options});
         export default async function () {{ {body} }}"
    );
    let path = folder.path().join("script.js");
    std::fs::write(&path, script).expect("it can be written");
    let mut ours = sparring();
    ours.arg0("k6").arg("run");
    assert_eq!(logged(ours, &path), expected, "ours");
    // k6 1.1 does not name the server in its TLS settings, and cannot connect to any.
    let is_tls = options.contains("tls:");
    if let Some(k6) = find_k6().filter(|_| !is_tls) {
        let mut real = Command::new(k6);
        real.args(["run", "--address", "127.0.0.1:0"]);
        assert_eq!(logged(real, &path), expected, "k6");
    }
}

fn logged(mut command: Command, script: &Path) -> Vec<String> {
    command.args([
        "--quiet",
        "--no-summary",
        "--no-usage-report",
        "--log-format",
        "raw",
    ]);
    let output = command
        .arg(script)
        .output()
        .expect("the driver can be started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // k6's Redis client has a log of its own.
    let of_console =
        |line: &&str| !line.contains("k6/experimental/redis") && !line.starts_with("redis: 20");
    text.lines().filter(of_console).map(str::to_owned).collect()
}

#[test]
fn redis_is_reached_over_tls() {
    if !has_redis() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let keys = rcgen::generate_simple_self_signed(names).expect("keys can be made");
    let (certificate, key) = (keys.cert.pem(), keys.signing_key.serialize_pem());
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    };
    let (certificate_file, key_file) = (file("server.pem", &certificate), file("server.key", &key));
    let port = free_port();
    let text = port.to_string();
    let files = [
        "--tls-cert-file",
        &certificate_file,
        "--tls-key-file",
        &key_file,
        "--tls-ca-cert-file",
        &certificate_file,
    ];
    let mut arguments = vec!["--port", "0", "--tls-port", &text];
    arguments.extend(files);
    let server = Redis::start(folder.path(), port, &arguments);
    let socket = |tls: &str| {
        format!(
            "{{ socket: {{ host: '127.0.0.1', port: {}, tls: {tls} }} }}",
            server.port
        )
    };
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let (certificate, key) = (json(&certificate), json(&key));
    check(
        &socket(&format!(
            "{{ ca: [{certificate}], cert: {certificate}, key: {key} }}"
        )),
        "await client.set('a', 1, 0); console.log(await client.get('a'), await client.incr('a'));",
        &["1 2"],
    );
    // The server asks for a certificate.
    check(
        &socket(&format!("{{ ca: [{certificate}] }}")),
        "try { await client.get('a'); console.log('fine'); } catch (error) { console.log('refused'); }",
        &["refused"],
    );
}

#[test]
fn redis_clusters_are_followed_to_the_node_of_a_key() {
    if !has_redis() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |_| {
        let (port, bus) = (free_port(), free_port());
        let (text, bus) = (port.to_string(), bus.to_string());
        let cluster = ["--cluster-enabled", "yes", "--cluster-port", &bus];
        Redis::start(
            folder.path(),
            port,
            &[&["--port", &text][..], &cluster].concat(),
        )
    };
    let nodes: Vec<Redis> = (0..3).map(start).collect();
    let addresses: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port))
        .collect();
    let mut create = vec!["--cluster", "create"];
    create.extend(addresses.iter().map(String::as_str));
    create.push("--cluster-yes");
    let said = cli(nodes[0].port, &create);
    assert!(said.contains("All 16384 slots covered"), "{said}");
    wait_until("the cluster is ready", || {
        let ready =
            |node: &Redis| cli(node.port, &["cluster", "info"]).contains("cluster_state:ok");
        nodes.iter().all(ready)
    });
    check(
        &format!(
            "{{ cluster: {{ nodes: ['redis://{}'] }} }}",
            addresses.join("', 'redis://")
        ),
        "let sum = 0;
         for (let i = 0; i < 60; i++) await client.set(`key ${i}`, i, 0);
         for (let i = 0; i < 60; i++) sum += Number(await client.get(`key ${i}`));
         console.log(sum, await client.incr('{key 1}:count'), await client.del('{key 1}:count'));",
        &["1770 1 1"],
    );
    let used: BTreeSet<u16> = nodes
        .iter()
        .filter(|node| cli(node.port, &["dbsize"]).trim() != "0")
        .map(|node| node.port)
        .collect();
    assert_eq!(used.len(), 3, "keys lie on every node");
}

#[test]
fn redis_sentinels_name_the_master() {
    if !has_redis() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let master = Redis::start(folder.path(), port, &["--port", &port.to_string()]);
    let port = free_port();
    let config = folder.path().join("sentinel.conf");
    let text = format!(
        "port {port}\nsentinel monitor mine 127.0.0.1 {} 1\n",
        master.port
    );
    std::fs::write(&config, text).expect("it can be written");
    let config = config.display().to_string();
    let sentinel = Redis::start(folder.path(), port, &[&config, "--sentinel"]);
    check(
        &format!(
            "{{ masterName: 'mine', socket: {{ host: '127.0.0.1', port: {} }} }}",
            sentinel.port
        ),
        "await client.set('of', 'the master', 0); console.log(await client.get('of'), await client.del('of'));",
        &["the master 1"],
    );
    assert_eq!(cli(master.port, &["config", "resetstat"]).trim(), "OK");
    check(
        &format!(
            "{{ masterName: 'other', socket: {{ host: '127.0.0.1', port: {} }} }}",
            sentinel.port
        ),
        "try { await client.get('a'); console.log('fine'); } catch (error) { console.log(String(error.message || error)); }",
        &["redis: all sentinels specified in configuration are unreachable"],
    );
}
