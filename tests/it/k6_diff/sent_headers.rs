//! The order in which headers are sent: k6's, which some services and recordings depend on.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};

use super::find_k6;
use crate::binary::sparring;

const SCRIPT: &str = "
import http from 'k6/http';
import ws from 'k6/ws';
export const options = { iterations: 1, userAgent: 'agent' };
export default function () {
  const base = __ENV.BASE;
  http.get(`${base}/plain`);
  http.get(`${base}/own`, { headers: { 'x-b': '1', 'X-a': '2', Accept: 'q', zeta: '', authorization: 'A', 'User-Agent': 'mine', cookie: 'c=1', 'x-B': 'again' } });
  http.post(`${base}/form`, { a: 1 });
  http.post(`${base}/json`, '{}', { headers: { 'content-type': 'application/json', 'X-Req': 'z', Accept: 'a' } });
  http.post(`${base}/gzip`, 'aaaaaaaaaaaaaaaaaaaa', { compression: 'gzip' });
  http.post(`${base}/empty`, '', { headers: { A: 'b' } });
  http.get(base.replace('//', '//user:pass@') + '/basic', { headers: { A: 'b', Zed: 'y' } });
  http.get(base.replace('//', '//user:pass@') + '/digest', { auth: 'digest', headers: { A: 'b', Zed: 'y' } });
  http.get(`${base}/redirect`, { headers: { Zed: 1, A: 2 } });
  http.get(`${base}/none`, { headers: { 'User-Agent': '', Zed: 'y' } });
  ws.connect(base.replace('http', 'ws') + '/socket', { headers: { 'X-z': '1', 'A-a': '2', Cookie: 'k=v' } }, () => {});
}
";

/// Accepts connections until the listener's port is dropped, and tells the head of each request.
fn serve(listener: &TcpListener, heads: &Sender<String>) {
    for stream in listener.incoming().flatten() {
        let heads = heads.clone();
        std::thread::spawn(move || answer(stream, &heads));
    }
}

fn answer(mut stream: TcpStream, heads: &Sender<String>) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count) = stream.read(&mut piece) {
        if count == 0 {
            return;
        }
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let is_whole = match head.contains("chunked") {
            true => body.ends_with("0\r\n\r\n"),
            false => bytes.len() >= head.len() + 4 + length,
        };
        if !is_whole {
            continue;
        }
        let _ = heads.send(head.to_owned());
        let status = match head {
            _ if head.contains(" /redirect ") => "302 Found\r\nLocation: /target",
            _ if head.contains(" /digest ") && !head.contains("Digest") => {
                "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\""
            }
            _ if head.contains(" /socket ") => "400 Bad Request",
            _ => "200 OK\r\nSet-Cookie: z=1",
        };
        let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
        bytes.clear();
    }
}

/// The heads of all requests of a driver, without what differs each time.
fn heads_of(mut driver: Command) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("script.js");
    std::fs::write(&script, SCRIPT).expect("it can be written");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (tell, told) = channel();
    std::thread::spawn(move || serve(&listener, &tell));
    driver
        .args(["run", "--quiet", "--no-summary", "--no-usage-report"])
        .arg("--env")
        .arg(format!("BASE=http://{address}"))
        .arg(&script)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(driver.status().expect("it runs").success());
    let port = format!(":{}", address.port());
    let heads = told.try_iter().map(|head| {
        let lines = head.lines().map(|line| match line.split_once(": ") {
            Some((name @ ("Sec-WebSocket-Key" | "Content-Length"), _)) => format!("{name}: #"),
            Some(("Authorization", value)) if value.starts_with("Digest") => {
                "Authorization: Digest #".to_owned()
            }
            _ => line.replace(&port, ""),
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    heads.collect()
}

#[test]
fn headers_are_sent_in_the_order_of_k6() {
    let Some(k6) = find_k6() else { return };
    let mut ours = sparring();
    ours.arg0("k6");
    let mut real = Command::new(k6);
    real.args(["--address", ""]);
    let (expected, found) = (heads_of(real), heads_of(ours));
    assert_eq!(found.join("\n\n"), expected.join("\n\n"));
}
