//! A server without a free descriptor says so once, keeps running, and serves again as soon as it can.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::binary::sparring;
use crate::suite_ends::{Running, get};

/// More than the server can have descriptors.
const CONNECTIONS: usize = 400;

/// Waits for the next line of the log with these words; returns the lines before it, too.
fn lines_to(log: &Receiver<String>, words: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = log.recv_timeout(Duration::from_secs(60));
        lines.push(line.unwrap_or_else(|_| panic!("no {words:?} after {lines:?}")));
        if lines.last().is_some_and(|line| line.contains(words)) {
            return lines;
        }
    }
}

#[test]
fn a_server_without_a_free_descriptor_logs_it_once_and_serves_again() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut reader = BufReader::new(reader);
    let (tell, log) = channel();
    let program = sparring();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(["target", "lab", "--port", "0"])
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let mut server = Running::start_telling(&mut shell, writer.into());
    let url = server.url();
    // The shell's end of the pipe is closed with the command.
    drop(shell);
    std::thread::spawn(move || {
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            drop(tell.send(std::mem::take(&mut line)));
        }
    });
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let held: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| TcpStream::connect(address).expect("in the queue of the system"))
        .collect();
    let first = lines_to(
        &log,
        "no connection can be accepted; trying again every second",
    );
    assert!(
        first
            .last()
            .is_some_and(|line| line.contains("descriptors") || line.contains("open files")),
        "{first:?}"
    );
    // One attempt a second fails meanwhile, without a line: nothing shows it, so this is a time and not a condition.
    std::thread::sleep(Duration::from_millis(2500));
    drop(held);
    let since = lines_to(&log, "connections are accepted again");
    assert_eq!(since.len(), 1, "{since:?}");
    assert!(get(&format!("{url}/__admin"))["overlays"].is_array());
}
