//! The destinations of log lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::mpsc::channel;

use serde_json::Value;

use crate::k6_command::k6;

const SCRIPT: &str = "
    export default function () { console.info('said'); console.warn('warned'); throw new Error('thrown'); }
";

fn run(folder: &Path, flags: &[&str]) -> Output {
    std::fs::write(folder.join("script.js"), SCRIPT).expect("written");
    let mut command = k6(folder);
    command.args(["run", "--quiet", "--no-summary"]).args(flags);
    let output = command.arg("script.js").output();
    output.expect("the binary was built for this test")
}

#[test]
fn lines_of_the_console_have_their_own_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = run(folder.path(), &["--console-output", "console.txt"]);
    let text = std::fs::read_to_string(folder.path().join("console.txt")).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("level=info msg=said"), "{text}");
    assert!(lines[1].ends_with("level=warning msg=warned"), "{text}");
    assert_eq!(lines.len(), 2, "{text}");
    let log = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(log.contains("thrown") && !log.contains("said"), "{log}");
}

#[test]
fn a_log_file_takes_lines_of_its_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = run(folder.path(), &["--log-output", "file=log.txt,level=warn"]);
    let text = std::fs::read_to_string(folder.path().join("log.txt")).expect("a file");
    assert!(!text.contains("said") && text.contains("warned") && text.contains("thrown"));
    assert!(ran.stderr.is_empty());
}

#[test]
fn log_settings_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        ("file=", "with no value"),
        (
            "file=no/such/folder",
            "provided directory 'no/such' does not exist",
        ),
        ("file=a,foo=1", "unknown logfile config key foo"),
        ("file=a,level=bad", "unknown log level bad"),
        ("loki=http://localhost,foo=1", "unknown loki config key foo"),
        ("nowhere", "unsupported log output 'nowhere'"),
    ];
    for (output, why) in cases {
        let ran = run(folder.path(), &["--log-output", output]);
        let log = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(255), "{output}");
        assert!(log.contains(why), "{output}: {log}");
    }
}

#[test]
fn a_loki_gets_what_the_run_logged() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (got, bodies) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length: ") {
                    length = value.trim().parse().expect("a number");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            // A client that has disconnected needs no response.
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            let _ = reader.get_mut().write_all(answer);
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            if got.send(body).is_err() {
                return;
            }
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let output = format!("loki=http://{address}/loki/api/v1/push,label.run=mine");
    let ran = run(folder.path(), &["--log-output", &output]);
    assert_eq!(ran.status.code(), Some(0));
    assert!(ran.stderr.is_empty(), "{:?}", String::from_utf8(ran.stderr));
    let streams: Vec<Value> = bodies
        .try_iter()
        .flat_map(|body| body["streams"].as_array().cloned().unwrap_or_default())
        .collect();
    let find = |level: &str| {
        let stream = streams.iter().find(|s| s["stream"]["level"] == level);
        stream.unwrap_or_else(|| panic!("no {level}: {streams:?}"))
    };
    assert_eq!(find("info")["values"][0][1], "said");
    assert_eq!(find("info")["stream"]["source"], "console");
    assert_eq!(find("warning")["stream"]["run"], "mine");
    let thrown = find("error")["values"][0][1].as_str().unwrap_or_default();
    assert!(thrown.starts_with("Error: thrown"), "{thrown}");
}
