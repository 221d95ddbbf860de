//! `--local-ips`: every virtual user has the source address that it has in k6.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;

use super::find_k6;
use crate::binary::sparring;

const SCRIPT: &str = "
    import http from 'k6/http';
    export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 7, iterations: 2 } } };
    export default function () { http.get(`${__ENV.BASE}/${__VU}`); }
";

/// Ranges, masks and single addresses. The whole of 127.0.0.0/8 is this machine.
const ADDRESSES: [&str; 4] = [
    "127.0.0.2-127.0.0.4",
    "127.0.1.9",
    "127.0.2.4/30",
    "127.0.3.1,127.0.3.5-127.0.3.6,127.0.4.0/31",
];

#[test]
fn virtual_users_have_their_source_addresses_in_turn() {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("script.js");
    std::fs::write(&script, SCRIPT).expect("it can be written");
    for addresses in ADDRESSES {
        let mut real = Command::new(&k6);
        real.args(["run", "--address", "127.0.0.1:0"]);
        let expected = sources(real, &script, addresses);
        let mut ours = sparring();
        ours.arg0("k6").arg("run");
        assert_eq!(sources(ours, &script, addresses), expected, "{addresses}");
        assert_eq!(expected.len(), 7, "one source of each user: {expected:?}");
    }
}

/// The users, and the addresses from which the server sees them.
fn sources(mut command: Command, script: &Path, addresses: &str) -> BTreeSet<String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let source = stream.peer_addr().expect("it is connected").ip();
                let lines = BufReader::new(stream.try_clone().expect("it can be shared")).lines();
                for line in lines.map_while(Result::ok) {
                    if let Some(path) = line.strip_prefix("GET /") {
                        let user = path.split(' ').next().unwrap_or_default();
                        // After a failed test nothing listens any more.
                        let _ = sender.send(format!("{user} from {source}"));
                    } else if line.is_empty() {
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                        if stream.write_all(answer).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    command.args(["--no-usage-report", "--quiet", "--no-summary"]);
    command.args(["--local-ips", addresses, "-e"]);
    command.arg(format!("BASE={base}")).arg(script);
    let output = command.output().expect("the driver can be started");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    seen.try_iter().collect()
}
