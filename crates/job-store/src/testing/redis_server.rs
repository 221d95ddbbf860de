//! A test's own Redis server, on a free loopback port, with its files in a temporary folder.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A Redis server that is killed by its process id on drop.
pub struct Server {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
    durable: bool,
}

impl Server {
    /// Starts one that writes everything to disk at once. `None` when this machine has no redis-server and the
    /// variable `REQUIRE_REDIS` is not set.
    pub fn start() -> Option<Self> {
        Self::start_as(true)
    }

    pub fn start_as(durable: bool) -> Option<Self> {
        let version = Command::new("redis-server").arg("--version").output();
        if let Err(error) = version {
            let hint = "install redis-server";
            assert!(
                std::env::var_os("REQUIRE_REDIS").is_none(),
                "REQUIRE_REDIS is set: {hint}: {error}"
            );
            eprintln!("SKIPPED: tests that need Redis did not run; {hint}");
            return None;
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        drop(free);
        let mut server = Self {
            port,
            folder,
            process: None,
            durable,
        };
        server.start_again();
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one command in it, such as `SAVE`, and returns the first line of its reply.
    pub fn command(&self, words: &str) -> String {
        line(&mut self.send(words))
    }

    /// Runs one command whose reply is a list of texts.
    pub fn all(&self, words: &str) -> Vec<String> {
        let mut answer = self.send(words);
        let count = line(&mut answer).trim_start_matches('*').parse();
        let texts = (0..count.expect("a list")).map(|_: usize| {
            // The length comes first.
            line(&mut answer);
            line(&mut answer)
        });
        texts.collect()
    }

    fn send(&self, words: &str) -> BufReader<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it listens");
        let sent = (&stream).write_all(format!("{words}\r\n").as_bytes());
        sent.expect("it reads");
        BufReader::new(stream)
    }

    /// Starts it with its data on disk, and waits until it listens.
    pub fn start_again(&mut self) {
        let append = if self.durable { "yes" } else { "no" };
        let process = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            // So that a test can search its data.
            .args(["--rdbcompression", "no"])
            .args(["--appendonly", append, "--appendfsync", "always", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server must be installed: apt-get install redis-server");
        self.process = Some(process);
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "redis-server does not listen"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it with SIGKILL.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it is ours");
            process.wait().expect("it is ours");
        }
    }

    /// Sends it a signal, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.process.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn line(answer: &mut impl BufRead) -> String {
    let mut line = String::new();
    answer.read_line(&mut line).expect("it answers");
    line.trim().to_owned()
}
