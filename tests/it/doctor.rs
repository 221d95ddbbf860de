//! `sparring doctor`: each deliberate defect is reported in one line with its remedy.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::binary::{Ended, sparring};

const SCRIPT: &str = "import http from 'k6/http';\nexport const options = { vus: 1, iterations: 1 };\n\
                      export default function () { http.get(__ENV.PERF_BASE_URL); }\n";

/// A folder with a fleet on free ports.
fn folder(fleet: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("detectors.yaml"), fleet).expect("writable");
    std::fs::write(folder.path().join("load.js"), SCRIPT).expect("writable");
    folder
}

fn sound() -> tempfile::TempDir {
    folder("service: { port: 0 }\ndetectors: { one: { endpoint: 'http://localhost:0/detect' } }\n")
}

fn doctor(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = sparring();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        command.env_remove(name);
    }
    let output = command
        .arg("doctor")
        .args(arguments)
        .current_dir(folder)
        .output();
    output.expect("it runs").into()
}

/// The lines of problems: the check and the message.
fn problems(ended: &Ended) -> Vec<(String, String)> {
    let lines = ended.stdout.lines();
    lines
        .filter_map(|line| line.strip_prefix("problem"))
        .filter_map(|line| line.trim().split_once("  "))
        .map(|(check, said)| (check.to_owned(), said.trim().to_owned()))
        .collect()
}

/// Checks that there is exactly one problem, of this check, with all of these words.
fn one(ended: &Ended, check: &str, words: &[&str]) {
    let found = problems(ended);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(found.len(), 1, "{}", ended.stdout);
    assert_eq!(found[0].0, check, "{}", ended.stdout);
    for word in words {
        assert!(found[0].1.contains(word), "no {word:?} in {}", found[0].1);
    }
    assert!(ended.stdout.ends_with("\n1 problem\n"), "{}", ended.stdout);
}

/// A server that answers every request with this head.
fn server(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|count| count > 0) {
                drop(stream.write_all(head.as_bytes()));
            }
        }
    });
    url
}

/// DET-31: problems that keep a run from starting are reported before it is tried.
#[test]
fn a_sound_machine_has_no_problems() {
    let folder = sound();
    let ended = doctor(folder.path(), &["--script", "load.js", "--users", "5"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    for check in [
        "config",
        "ports",
        "descriptors",
        "port range",
        "clock",
        "disk",
        "script",
    ] {
        let lines = ended.stdout.lines();
        let found = lines.filter(|line| {
            line.strip_prefix("ok")
                .is_some_and(|l| l.trim().starts_with(check))
        });
        assert_eq!(found.count(), 1, "{check}: {}", ended.stdout);
    }
    assert!(ended.stdout.ends_with("no problems\n"), "{}", ended.stdout);
}

#[test]
fn each_error_of_a_file_is_a_line() {
    let folder = folder("service: { prot: 1 }\ndetectors: { one: { endpoint: nowhere } }\n");
    let ended = doctor(folder.path(), &[]);
    let found = problems(&ended);
    assert_eq!(found.len(), 2, "{}", ended.stdout);
    assert!(
        found[0].1.contains("service.prot") && found[0].1.contains("port"),
        "{found:?}"
    );
    assert!(found[1].1.contains("detectors.one.endpoint"), "{found:?}");
    assert_eq!(ended.code, Some(1));
}

#[test]
fn a_taken_port_is_named_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let folder = folder(&format!(
        "service: {{ port: 0 }}\ndetectors: {{ one: {{ endpoint: 'http://localhost:{port}/' }} }}\n"
    ));
    let taken_port = format!("port {port} is already in use");
    let words = [taken_port.as_str(), "for one", "--free-ports"];
    one(&doctor(folder.path(), &[]), "ports", &words);
    assert!(
        !folder.path().join("results").exists(),
        "looking leaves a folder"
    );
    // A service on another machine needs none of them.
    let url = server("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let ended = doctor(folder.path(), &["--base-url", &url]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn too_few_descriptors_are_told_with_the_command_that_raises_them() {
    let folder = sound();
    let binary = env!("CARGO_BIN_EXE_sparring");
    let script = format!("ulimit -n 200 && exec '{binary}' doctor --users 150");
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_remove("PERF_BASE_URL")
        .env_remove("SPARRING_CONFIG")
        .current_dir(folder.path())
        .output();
    let words = ["200 open files", "150 users", "`ulimit -n 65535`"];
    one(&output.expect("it runs").into(), "descriptors", &words);
}

#[test]
fn too_few_local_ports_are_told() {
    let folder = sound();
    let ended = doctor(folder.path(), &["--users", "40000"]);
    let found = problems(&ended);
    let range = found.iter().find(|(check, _)| check == "port range");
    let said = &range.unwrap_or_else(|| panic!("{}", ended.stdout)).1;
    assert!(said.contains("net.ipv4.ip_local_port_range"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_problem() {
    let folder = sound();
    let ended = doctor(folder.path(), &["--results", "/dev/null/results"]);
    one(&ended, "disk", &["/dev/null/results", "--results FOLDER"]);
}

#[test]
fn a_service_that_is_down_or_unhealthy_is_a_problem() {
    let folder = sound();
    let gone = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", gone.local_addr().expect("bound"));
    drop(gone);
    let ended = doctor(folder.path(), &["--base-url", &url]);
    one(
        &ended,
        "service",
        &[url.as_str(), "connection refused", "start it"],
    );

    let url = server("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let ended = doctor(folder.path(), &["--base-url", &url]);
    one(&ended, "service", &["/health answers 503", "not healthy"]);

    let ended = doctor(folder.path(), &["--base-url", "127.0.0.1:80"]);
    one(&ended, "service", &["is not the URL of a service"]);
}

#[test]
fn a_service_whose_clock_is_off_is_a_problem() {
    let folder = sound();
    let url = server(
        "HTTP/1.1 200 OK\r\nDate: Sun, 01 Jan 2023 00:00:00 GMT\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n",
    );
    let ended = doctor(folder.path(), &["--base-url", &url]);
    one(&ended, "clock", &["behind this one", "set the time"]);
}

#[test]
fn a_script_that_cannot_run_is_a_line() {
    let folder = sound();
    for (name, text, word, fix) in [
        (
            "syntax.js",
            "export default function ( {",
            "syntax.js",
            "correct the script at",
        ),
        (
            "throws.js",
            "throw new Error('no data file');\nexport default () => {};",
            "no data file",
            "set the variables that the script reads",
        ),
        (
            "nothing.js",
            "export const x = 1;",
            "no exported functions",
            "export a function",
        ),
    ] {
        std::fs::write(folder.path().join(name), text).expect("writable");
        let ended = doctor(folder.path(), &["--script", name]);
        one(&ended, "script", &[name, "cannot be run", word, fix]);
    }
    let ended = doctor(folder.path(), &["--script", "none.js"]);
    one(&ended, "script", &["none.js", "check the path"]);
}

#[test]
fn findings_are_there_for_programs() {
    let folder = sound();
    let ended = doctor(folder.path(), &["--json", "--results", "/dev/null/results"]);
    assert_eq!(ended.code, Some(1));
    let json: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(json["problems"], 1);
    let checks = json["checks"].as_array().expect("a list");
    let disk = checks.iter().find(|check| check["check"] == "disk");
    assert_eq!(disk.expect("it was looked at")["ok"], false);
    assert!(checks.iter().filter(|check| check["ok"] == true).count() >= 5);
}
