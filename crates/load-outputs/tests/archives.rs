//! Archives and `inspect`, compared with k6's output for the same test.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;

use load_engine::inspect;
use load_engine::options::{Options, json};
use load_engine::segment::Segment;
use load_outputs::archive::{Archive, ArchiveError};
use serde_json::{Value, json};

const OF_K6: &[u8] = include_bytes!("archive/k6.tar");

fn options() -> Options {
    let exported = json!({
        "vus": 2,
        "duration": "3s",
        "thresholds": {"http_reqs": ["count>1"]},
        "tags": {"a": "b"},
    });
    json::read(&exported).unwrap().options
}

fn ours() -> Archive {
    let files = [
        ("file:///tmp/outp/ar/lib/data.txt", "hallo\n"),
        ("file:///tmp/outp/ar/lib/f.js", "export function f(){}\n"),
    ];
    let files = files.map(|(url, text)| (url.to_owned(), text.as_bytes().to_vec()));
    Archive {
        options: inspect::with_defaults(&options()),
        filename: "file:///tmp/outp/ar/main.js".to_owned(),
        pwd: "file:///tmp/outp/ar".to_owned(),
        env: Some(BTreeMap::from([("A".to_owned(), "b".to_owned())])),
        compatibility_mode: "extended".to_owned(),
        k6_version: "1.1.0".to_owned(),
        data: Archive::read(OF_K6).unwrap().data,
        files: BTreeMap::from(files),
    }
}

fn write(archive: &Archive) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.write(&mut bytes).unwrap();
    bytes
}

/// Paths, kinds, link targets and contents of all entries.
fn entries(bytes: &[u8]) -> Vec<(String, String)> {
    let mut tar = tar::Archive::new(bytes);
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let path = entry.path().unwrap().display().to_string();
        let link = entry.link_name().unwrap();
        let link = link.map(|link| format!("-> {}", link.display()));
        let path = path.trim_end_matches('/').to_owned();
        (path, link.unwrap_or(content))
    });
    entries.collect()
}

#[test]
fn an_archive_holds_what_k6_puts_into_its_own() {
    assert_eq!(entries(&write(&ours())), entries(OF_K6));
}

#[test]
fn what_k6_archived_is_read() {
    assert!(Archive::is_archive(OF_K6));
    assert_eq!(Archive::read(OF_K6).unwrap(), ours());
}

#[test]
fn what_is_written_is_read_again() {
    let mut archive = ours();
    archive.env = None;
    let https = "https://example.org/lib/a.js".to_owned();
    archive.files.insert(https, b"1".to_vec());
    let deep = format!("file:///{}x.js", "long/".repeat(40));
    archive.files.insert(deep, b"2".to_vec());
    let bytes = write(&archive);
    assert!(Archive::is_archive(&bytes));
    assert_eq!(Archive::read(bytes.as_slice()).unwrap(), archive);
}

#[test]
fn a_real_k6_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.tar");
    std::fs::write(&path, write(&ours())).unwrap();
    let Ok(run) = Command::new("k6").arg("inspect").arg(&path).output() else {
        eprintln!("there is no k6 here: nothing to check against");
        return;
    };
    let log = String::from_utf8_lossy(&run.stderr);
    let options: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{log}"));
    assert_eq!(options["vus"], 2);
    assert_eq!(options["tags"]["a"], "b");
}

#[test]
fn names_of_users_are_left_out() {
    let mut archive = ours();
    archive.filename = "file:///home/somebody/main.js".to_owned();
    archive.pwd = "file:///home/somebody".to_owned();
    let read = Archive::read(write(&archive).as_slice()).unwrap();
    assert_eq!(read.filename, "file:///home/nobody/main.js");
    assert_eq!(read.pwd, "file:///home/nobody");
}

#[test]
fn what_is_no_archive_is_refused_with_a_reason() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    tar.append_data(&mut header, "data", &b"x"[..]).unwrap();
    let error = Archive::read(tar.into_inner().unwrap().as_slice()).unwrap_err();
    assert!(
        matches!(error, ArchiveError::Missing("metadata.json")),
        "{error}"
    );
    let error = Archive::read(&b"export default function() {}"[..]).unwrap_err();
    assert!(!error.to_string().is_empty());
    assert!(!Archive::is_archive(b"export default function() {}"));
    let mut archive = ours();
    archive.files.insert("http://x/a.js".to_owned(), Vec::new());
    let error = archive.write(std::io::sink()).unwrap_err();
    assert!(matches!(error, ArchiveError::Url(_)), "{error}");
}

#[test]
fn inspect_prints_what_k6_prints() {
    assert_eq!(
        inspect::options_text(&options()),
        include_str!("archive/inspect.json")
    );
}

#[test]
fn execution_requirements_are_those_of_k6() {
    let text = inspect::requirements_text(&options(), &Segment::full()).unwrap();
    assert_eq!(text, include_str!("archive/requirements.json"));
}
