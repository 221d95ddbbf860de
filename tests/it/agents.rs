//! `sparring run --agents`: one command, several machines; here on one machine, and in separate network namespaces.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::Ended;
use crate::collect::{SCRIPT, kept};
use crate::places::{Member, Namespaces, OneMachine, PATIENCE, Place, Target, at};

const TOKEN: &str = "a-token-of-the-test";
/// The place of the process that starts the run.
const HERE: usize = 3;

/// An agent in a process group of its own, so that its runner dies with it, as on a real machine.
struct Agent {
    process: Member,
    address: String,
    /// The place where it runs.
    folder: tempfile::TempDir,
}

impl Agent {
    fn start(place: &dyn Place, member: usize, ip: Ipv4Addr) -> Self {
        let listen = format!("{ip}:0");
        let mut command = at(
            place,
            member,
            &["agent", "--listen", &listen, "--forgotten-after", "5s"],
        );
        let folder = tempfile::tempdir().expect("a folder");
        let command = command
            .current_dir(folder.path())
            .env("SPARRING_TOKEN", TOKEN)
            .stderr(Stdio::piped());
        let mut process = Member(
            command
                .process_group(0)
                .spawn()
                .expect("the binary was built"),
        );
        let mut said = BufReader::new(process.0.stderr.take().expect("it is piped")).lines();
        let first = said
            .next()
            .expect("it says where it listens")
            .expect("text");
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        let address = first.rsplit("//").next().unwrap_or_default().to_owned();
        Self {
            process,
            address,
            folder,
        }
    }

    /// Kills the whole group, like a machine that is switched off.
    fn lose(&self) {
        let group = format!("-{}", self.process.0.id());
        let killed = Command::new("kill").args(["-9", "--", &group]).status();
        assert!(killed.is_ok_and(|status| status.success()));
    }
}

/// The agents of a place, which are the members 0, 1 and 2.
fn agents(place: &dyn Place, ip: impl Fn(u8) -> Ipv4Addr) -> Vec<Agent> {
    let all = (0..3_u8).map(|member| Agent::start(place, usize::from(member), ip(member)));
    all.collect()
}

/// `sparring run --agents` on all of them, in a folder that has the script.
fn command(place: &dyn Place, folder: &Path, addresses: &str, words: &[&str]) -> Command {
    let mut all = vec![
        "run",
        "load.js",
        "--agents",
        addresses,
        "--collected",
        "out",
    ];
    all.extend(words);
    let mut command = at(place, HERE, &all);
    command.current_dir(folder).env("SPARRING_TOKEN", TOKEN);
    command
}

fn addresses(agents: &[Agent]) -> String {
    let all: Vec<&str> = agents.iter().map(|agent| agent.address.as_str()).collect();
    all.join(",")
}

/// A folder with the script, which reads a file beside it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let script =
        format!("const path = open('path.txt').trim();\n{SCRIPT}").replace("'/item'", "path");
    assert!(script.contains("name: path"));
    fs::write(folder.path().join("load.js"), script).expect("writable");
    fs::write(folder.path().join("path.txt"), "/item\n").expect("writable");
    folder
}

fn result(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("out/collected.json")).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

/// The load is shared, `setup` and `teardown` run once, the archive goes along, the result is one.
fn check_whole(place: &dyn Place, ip: impl Fn(u8) -> Ipv4Addr) {
    let (folder, target) = (folder(), Target::start(place.target()));
    let agents = agents(place, ip);
    let environment = format!("TARGET={}", target.address);
    for round in 1..=2 {
        let mut run = command(
            place,
            folder.path(),
            &addresses(&agents),
            &["-e", &environment],
        );
        let ended = Ended::from(run.output().expect("the binary was built"));
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("verdict: PASSED"), "{}", ended.stdout);
        let result = result(folder.path());
        assert_eq!(
            (target.count("/setup"), target.count("/teardown")),
            (round, round)
        );
        let sent = result["metrics"]["http_reqs"]["count"]
            .as_f64()
            .expect("a count");
        assert!((230.0..=252.0).contains(&sent), "{result:#}");
        let runners = result["runners"].as_array().expect("runners");
        let names: Vec<&str> = runners
            .iter()
            .filter_map(|runner| runner["name"].as_str())
            .collect();
        let mut wanted: Vec<&str> = agents.iter().map(|agent| agent.address.as_str()).collect();
        wanted.sort_unstable();
        assert_eq!(names, wanted);
        assert!(
            runners
                .iter()
                .all(|runner| runner["requests"].as_u64() > Some(70)),
            "{result:#}"
        );
        if place.is_slow() {
            let odd = runners
                .iter()
                .filter(|runner| runner["odd"].as_array().is_some_and(|it| !it.is_empty()));
            assert_eq!(
                odd.count(),
                1,
                "the third one's network is slow: {result:#}"
            );
        }
    }
}

/// One agent is lost in the middle: the run is invalid, or degraded by the flag.
fn check_lost(place: &dyn Place, ip: impl Fn(u8) -> Ipv4Addr) {
    for (words, code, verdict) in [(&[][..], 5, "INVALID"), (&["--degraded"], 0, "PASSED")] {
        let (folder, target) = (folder(), Target::start(place.target()));
        let agents = agents(place, &ip);
        let environment = format!("TARGET={}", target.address);
        let mut all = vec!["-e", &environment, "--lost-after", "2s"];
        all.extend(words);
        let mut run = command(place, folder.path(), &addresses(&agents), &all);
        let run = run.stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = Member(run.spawn().expect("the binary was built"));
        let begun = Instant::now();
        while target.count("/item") < 60 {
            assert!(begun.elapsed() < PATIENCE, "the load does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        agents[1].lose();
        assert_eq!(run.end(), Some(code), "{words:?}");
        let result = result(folder.path());
        assert_eq!(result["verdict"], verdict, "{result:#}");
        let lost = format!("the runner {} was lost", agents[1].address);
        assert!(result["reasons"].to_string().contains(&lost), "{result:#}");
        assert_eq!(target.count("/teardown"), 1);
    }
}

#[test]
fn three_agents_on_one_machine_are_one_run_again_and_again() {
    check_whole(&OneMachine, |_| Ipv4Addr::LOCALHOST);
}

#[test]
fn three_agents_on_addresses_of_their_own_are_one_run_and_none_is_lost_silently() {
    match Namespaces::make(1) {
        Some(place) => {
            check_whole(&place, |member| place.address(member + 1));
            check_lost(&place, |member| place.address(member + 1));
        }
        None => check_lost(&OneMachine, |_| Ipv4Addr::LOCALHOST),
    }
}

#[test]
fn what_cannot_be_shared_is_refused_before_anything_runs() {
    let (folder, agent) = (folder(), Agent::start(&OneMachine, 0, Ipv4Addr::LOCALHOST));
    let nobody = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        free.local_addr().expect("bound").to_string()
    };
    let twice = format!("{0},{0}", agent.address);
    let check = |addresses: &str, words: &[&str], token: Option<&str>, code: i32, hint: &str| {
        let mut run = command(&OneMachine, folder.path(), addresses, words);
        match token {
            Some(token) => run.env("SPARRING_TOKEN", token),
            None => run.env_remove("SPARRING_TOKEN"),
        };
        let ended = Ended::from(run.output().expect("the binary was built"));
        assert!(ended.stderr.contains(hint), "{hint}: {}", ended.stderr);
        assert_eq!(ended.code, Some(code), "{hint}: {}", ended.stderr);
        assert!(!folder.path().join("out").exists());
    };
    let own = agent.address.as_str();
    check(own, &[], None, 2, "set SPARRING_TOKEN to a secret");
    check(
        own,
        &[],
        Some("wrong"),
        1,
        "the token of SPARRING_TOKEN is missing or wrong",
    );
    check(&nobody, &[], Some(TOKEN), 1, "cannot be reached");
    check(&twice, &[], Some(TOKEN), 2, "is listed twice");
    check(
        own,
        &["--paused"],
        Some(TOKEN),
        2,
        "--paused applies to a single runner",
    );
    check(
        own,
        &["--out", "json=a.json"],
        Some(TOKEN),
        2,
        "would write to the disk of each agent",
    );
}

/// An agent whose runner cannot begin ends the run at once, with the runner's own message.
#[test]
fn a_runner_that_cannot_begin_ends_the_run_and_is_heard() {
    let (folder, agent) = (folder(), Agent::start(&OneMachine, 0, Ipv4Addr::LOCALHOST));
    let script = "
if (__ENV.SPARRING_TOKEN) { throw new Error('no init code here'); }
export default function () {}";
    fs::write(folder.path().join("load.js"), script).expect("writable");
    let mut run = command(&OneMachine, folder.path(), &agent.address, &[]);
    let begun = Instant::now();
    let ended = Ended::from(run.output().expect("the binary was built"));
    assert_eq!(ended.code, Some(5), "{}{}", ended.stdout, ended.stderr);
    assert!(begun.elapsed() < PATIENCE);
    let (said, result) = (&ended.stderr, result(folder.path()));
    assert!(
        said.contains(&format!("{} | ", agent.address)) && said.contains("no init code here"),
        "{said}"
    );
    assert!(
        result["reasons"]
            .to_string()
            .contains("before the run began"),
        "{result:#}"
    );
}

/// When the controller dies, the load ends, the agent is free again, and its runner's measurements are saved.
#[test]
fn a_run_is_ended_when_its_client_stops_polling() {
    let (folder, target) = (folder(), Target::start(Ipv4Addr::LOCALHOST));
    let agent = Agent::start(&OneMachine, 0, Ipv4Addr::LOCALHOST);
    let environment = format!("TARGET={}", target.address);
    let long = [
        "-e",
        environment.as_str(),
        "--duration",
        "10m",
        "--vus",
        "1",
    ];
    let mut run = command(&OneMachine, folder.path(), &agent.address, &long);
    let run = run.stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = Member(run.spawn().expect("the binary was built"));
    let begun = Instant::now();
    while target.count("/item") == 0 {
        assert!(begun.elapsed() < PATIENCE, "the load does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Another run has to wait for it.
    let mut other = command(
        &OneMachine,
        folder.path(),
        &agent.address,
        &["-e", &environment],
    );
    let other = Ended::from(other.output().expect("the binary was built"));
    assert_eq!(other.code, Some(1), "{}", other.stderr);
    assert!(
        other.stderr.contains("is busy with another run"),
        "{}",
        other.stderr
    );
    run.0.kill().expect("it can be killed");
    let begun = Instant::now();
    loop {
        let mut next = command(
            &OneMachine,
            folder.path(),
            &agent.address,
            &["-e", &environment],
        );
        let next = Ended::from(next.output().expect("the binary was built"));
        if next.code == Some(0) {
            break;
        }
        assert!(
            next.stderr.contains("is busy with another run"),
            "{}",
            next.stderr
        );
        assert!(begun.elapsed() < PATIENCE, "the agent is not free");
        std::thread::sleep(Duration::from_millis(200));
    }
    let kept = kept(&agent.folder.path().join("results"));
    let requests = kept["metrics"]["http_reqs"]["count"].as_f64();
    assert!(requests.is_some_and(|count| count > 0.0), "{kept:#}");
}

/// `handleSummary` runs once, here, with the measurements of all agents.
#[test]
fn handle_summary_gets_the_data_of_all_agents() {
    let (folder, target) = (folder(), Target::start(Ipv4Addr::LOCALHOST));
    let agents = agents(&OneMachine, |_| Ipv4Addr::LOCALHOST);
    let mut script = fs::read_to_string(folder.path().join("load.js")).expect("it is there");
    script.push_str(
        "
export function handleSummary(data) {
  return { stdout: `merged: ${data.metrics.iterations.values.count}\\n`, 'data.json': JSON.stringify(data) };
}",
    );
    fs::write(folder.path().join("load.js"), script).expect("writable");
    let environment = format!("TARGET={}", target.address);
    let words = ["-e", environment.as_str()];
    let mut run = command(&OneMachine, folder.path(), &addresses(&agents), &words);
    let ended = Ended::from(run.output().expect("the binary was built"));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let collected = result(folder.path());
    let iterations = collected["metrics"]["iterations"]["count"].as_f64();
    let told = format!("merged: {}\n", iterations.expect("a number"));
    assert!(ended.stdout.contains(&told), "{told}{}", ended.stdout);
    assert!(ended.stdout.contains("verdict: PASSED"), "{}", ended.stdout);
    let text = fs::read_to_string(folder.path().join("data.json")).expect("it was written");
    let data: Value = serde_json::from_str(&text).expect("JSON");
    let of = |pointer: &str| data.pointer(pointer).cloned().unwrap_or_default();
    let trend = &collected["metrics"]["http_req_duration"];
    assert_eq!(
        of("/metrics/http_req_duration/values/p(95)"),
        trend["p(95)"]
    );
    let held = "/metrics/http_req_duration/thresholds/p(95)<5000/ok";
    assert_eq!(of(held), true, "{data:#}");
    assert_eq!(of("/setup_data/token"), "abc");
    assert_eq!(
        of("/root_group/checks/0/passes").as_f64(),
        iterations,
        "{data:#}"
    );
}
