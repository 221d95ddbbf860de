//! This driver has every member of k6's reference that `tests/k6-surface/members.txt` marks as its own, and real
//! k6 has those marked as the same.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::find_k6;
use super::server::{self, Server};
use crate::binary::sparring;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/k6-surface");

/// Subject and name.
type Member = (String, String);

/// The members with one of these words.
fn members(words: &[&str]) -> BTreeSet<Member> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("members.txt")).expect("it is there");
    let mut members = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').expect("a word");
        let (subject, names) = rest.split_once(": ").expect("a subject");
        let names = names.split(' ').filter(|_| words.contains(&word));
        members.extend(names.map(|name| (subject.to_owned(), name.to_owned())));
    }
    members
}

/// The members that the driver has.
fn found(mut driver: Command, server: &Server) -> BTreeSet<Member> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (subject, name) in members(&["same", "newer"]) {
        wanted.entry(subject).or_default().push(name);
    }
    let list = folder.path().join("members.json");
    let text = serde_json::to_string(&wanted).expect("it is JSON");
    std::fs::write(&list, text).expect("it can be written");
    let data = format!("{FOLDER}/../k6-diff/data");
    driver.args([
        "run",
        "--quiet",
        "--log-format",
        "raw",
        "--address",
        "127.0.0.1:0",
    ]);
    for (name, value) in &server.variables {
        driver.arg("-e").arg(format!("{name}={value}"));
    }
    driver.arg("-e").arg(format!("MEMBERS={}", list.display()));
    driver.arg("-e").arg(format!("DATA={data}"));
    let output = driver
        .arg(format!("{FOLDER}/script.js"))
        .output()
        .expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr);
    let line = log.lines().find_map(|line| line.strip_prefix("FOUND "));
    let line = line.unwrap_or_else(|| panic!("the script found nothing: {log}"));
    let found: BTreeMap<String, Vec<String>> = serde_json::from_str(line).expect("it is JSON");
    let pairs = found.into_iter();
    pairs
        .flat_map(|(subject, names)| names.into_iter().map(move |name| (subject.clone(), name)))
        .collect()
}

#[test]
fn members_are_where_the_reference_says() {
    let server = server::start();
    let mut ours = sparring();
    ours.arg0("k6");
    let all = members(&["same", "newer"]);
    assert!(all.len() > 390, "{}", all.len());
    let found_here = found(ours, &server);
    let missing: Vec<_> = all.difference(&found_here).collect();
    assert!(missing.is_empty(), "not here: {missing:?}");
    let Some(k6) = find_k6() else { return };
    let found_there = found(Command::new(k6), &server);
    let same = members(&["same"]);
    let missing: Vec<_> = same.difference(&found_there).collect();
    let more: Vec<_> = found_there.difference(&same).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "not in k6 1.1: {missing:?}; in it, too: {more:?}"
    );
}
