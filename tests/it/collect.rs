//! One run on three runners and a collector: on one machine, and in separate network namespaces.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::sparring;
use crate::places::{Member, Namespaces, OneMachine, PATIENCE, Place, Target, at};

/// 60 requests a second for four seconds, shared by the runners.
pub const SCRIPT: &str = "
import http from 'k6/http';
import { check } from 'k6';
export const options = {
  scenarios: { load: { executor: 'constant-arrival-rate', rate: 60, timeUnit: '1s', duration: '4s',
    preAllocatedVUs: 12, gracefulStop: '5s' } },
  thresholds: { http_req_duration: ['p(95)<5000'], 'http_req_duration{name:/item}': ['max<20000'], checks: ['rate==1'] },
};
const url = (path) => `http://${__ENV.TARGET}${path}`;
export function setup() { http.post(url('/setup')); return { token: 'abc' }; }
export default function (data) {
  const slow = __ENV.SLOW ? '?slow=1' : '';
  const answer = http.get(url(`/item${slow}`), { tags: { name: '/item' } });
  check(answer, { answered: (r) => r.status === 200, 'data of setup': () => data.token === 'abc' });
}
export function teardown() { http.post(url('/teardown')); }
";
/// The runner that ran `setup` is still busy when the others are about to end.
const LATE_LEADER: &str = "
import http from 'k6/http';
export const options = { scenarios: { load: { executor: 'per-vu-iterations', vus: 3, iterations: 1 } } };
const url = (path) => `http://${__ENV.TARGET}${path}`;
export function setup() { http.post(url(`/setup/${__ENV.NAME}`)); return { leader: __ENV.NAME }; }
export default function (data) {
  http.get(url(data.leader === __ENV.NAME ? '/late?slow=600' : '/item'), { timeout: '700s' });
}
export function teardown(data) { http.post(url(`/teardown/${data.leader}`)); }
";
const RUNNERS: [&str; 3] = ["a", "b", "c"];

/// The result of a run: the collector's exit code and its JSON.
struct Done {
    code: Option<i32>,
    result: Value,
    runners: Vec<Option<i32>>,
}

/// The runner to be killed, and the moment.
type Kill = fn(&Target) -> Option<usize>;

/// The second runner, in the middle of the load.
const SECOND: Kill = |target| (target.count("/item") >= 60).then_some(1);
/// The runner that ran `setup`, when the others are about to end.
const LEADER: Kill = |target| {
    let ran_setup = |name: &&str| target.count(&format!("/setup/{name}")) > 0;
    let leader = RUNNERS.iter().position(ran_setup)?;
    (target.count("/late") == 1 && target.count("/item") == 2).then_some(leader)
};

/// Runs the script on three runners; the third one is slow.
fn run(
    place: &dyn Place,
    folder: &Path,
    target: &Target,
    (text, words, kill): (&str, &[&str], Option<Kill>),
) -> Done {
    let script = folder.join("load.js");
    fs::write(&script, text).expect("the folder is writable");
    let listen = format!("{}:0", place.collector());
    let output = folder.join("out");
    let output = output.to_string_lossy();
    let mut all = vec![
        "collect",
        "--runners",
        "3",
        "--listen",
        &listen,
        "--lost-after",
        "2s",
        "--json",
        "--output",
        &output,
    ];
    all.extend(words);
    let mut collect = at(place, 3, &all);
    let collect = collect.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut collect = Member(collect.spawn().expect("the binary was built"));
    let mut said = BufReader::new(collect.0.stderr.take().expect("it is piped")).lines();
    let first = said
        .next()
        .expect("it says where it listens")
        .expect("text");
    let url = first.rsplit(' ').next().unwrap_or_default().to_owned();
    let rest =
        std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let mut runners: Vec<Member> = RUNNERS
        .iter()
        .enumerate()
        .map(|(member, name)| {
            let segment = format!("{member}/3:{}/3", member + 1);
            let environment = format!("TARGET={}", target.address);
            let named = format!("NAME={name}");
            let mut words = vec![
                "run",
                "--quiet",
                "--execution-segment",
                &segment,
                "--execution-segment-sequence",
                "0,1/3,2/3,1",
                "--collector",
                &url,
                "--runner",
                name,
                "-e",
                &environment,
                "-e",
                &named,
            ];
            if member == 2 && !place.is_slow() {
                words.extend(["-e", "SLOW=1"]);
            }
            let path = script.to_string_lossy();
            words.push(&path);
            let mut command = at(place, member, &words);
            Member(
                command
                    .stdout(Stdio::null())
                    .spawn()
                    .expect("the binary was built"),
            )
        })
        .collect();
    if let Some(kill) = kill {
        let begun = Instant::now();
        let member = loop {
            match kill(target) {
                Some(member) => break member,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
            assert!(begun.elapsed() < PATIENCE, "the load does not begin");
        };
        runners[member].0.kill().expect("it can be killed");
    }
    let runners = runners.iter_mut().map(Member::end).collect();
    let mut text = String::new();
    let mut stdout = collect.0.stdout.take().expect("it is piped");
    stdout.read_to_string(&mut text).expect("text");
    let code = collect.end();
    let rest = rest.join().expect("it was read");
    let result =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{rest}"));
    Done {
        code,
        result,
        runners,
    }
}

fn reasons(result: &Value) -> String {
    result["reasons"].to_string()
}

/// All runners together: the run is judged, the logs are merged bit by bit, the slow runner is named, and `setup` and
/// `teardown` run once.
fn check_whole(place: &dyn Place) {
    let folder = tempfile::tempdir().expect("a folder");
    let target = Target::start(place.target());
    let done = run(place, folder.path(), &target, (SCRIPT, &[], None));
    let result = &done.result;
    assert_eq!(
        (done.code, &result["verdict"]),
        (Some(0), &"PASSED".into()),
        "{result:#}"
    );
    assert_eq!(done.runners, [Some(0); 3]);
    assert_eq!((target.count("/setup"), target.count("/teardown")), (1, 1));
    let sent = target.count("/item");
    assert!((230..=250).contains(&sent), "{sent}");
    // The requests of setup and teardown are counted, too.
    assert_eq!(
        result["metrics"]["http_reqs"]["count"].as_f64(),
        Some((sent + 2) as f64)
    );
    assert_eq!(
        result["thresholds"].as_array().map(Vec::len),
        Some(3),
        "{result:#}"
    );
    assert!(
        result["checks"][0]["fails"] == 0 && result["checks"][1]["fails"] == 0,
        "{result:#}"
    );
    let odd: Vec<bool> = result["runners"]
        .as_array()
        .expect("runners")
        .iter()
        .map(|runner| runner["odd"].as_array().is_some_and(|odd| !odd.is_empty()))
        .collect();
    assert_eq!(odd, [false, false, true], "{result:#}");
    // Merging the logs manually in any order gives the same file.
    let merged = fs::read(folder.path().join("out/merged.hlog")).expect("a log");
    for order in [["a", "b", "c"], ["c", "a", "b"]] {
        let again = folder.path().join("again.hlog");
        let logs = order.map(|name| folder.path().join(format!("out/runner-{name}.hlog")));
        let by_hand = sparring()
            .arg("merge")
            .args(&logs)
            .arg("--output")
            .arg(&again)
            .arg("--json")
            .output();
        let by_hand = by_hand.expect("the binary was built");
        assert!(
            by_hand.status.success(),
            "{}",
            String::from_utf8_lossy(&by_hand.stderr)
        );
        assert!(
            fs::read(&again).expect("a log") == merged,
            "the merged log is another one"
        );
        let printed: Value = serde_json::from_slice(&by_hand.stdout).expect("JSON");
        let rows = printed["rows"].as_array().expect("rows");
        let all = rows
            .iter()
            .find(|row| row["tag"] == "all")
            .unwrap_or(&rows[0]);
        for name in ["p50", "p95", "p99", "p100"] {
            assert_eq!(
                all["percentiles"][name], result["latency_ms"][name],
                "{name}"
            );
        }
    }
}

/// One runner is killed: the run is invalid and ends, or it is degraded if that is allowed; both are reported.
fn check_killed(place: &dyn Place) {
    let folder = tempfile::tempdir().expect("a folder");
    let target = Target::start(place.target());
    let done = run(place, folder.path(), &target, (SCRIPT, &[], Some(SECOND)));
    assert_eq!(
        (done.code, &done.result["verdict"]),
        (Some(5), &"INVALID".into()),
        "{:#}",
        done.result
    );
    assert!(
        reasons(&done.result).contains("invalid: the runner b was lost"),
        "{:#}",
        done.result
    );
    assert_eq!(done.result["runners"][1]["state"], "lost");
    let folder = tempfile::tempdir().expect("a folder");
    let target = Target::start(place.target());
    let degraded = ["--degraded"];
    let done = run(
        place,
        folder.path(),
        &target,
        (SCRIPT, &degraded, Some(SECOND)),
    );
    assert_eq!(
        (done.code, &done.result["verdict"]),
        (Some(0), &"PASSED".into()),
        "{:#}",
        done.result
    );
    assert!(
        reasons(&done.result).contains("degraded: the runner b was lost"),
        "{:#}",
        done.result
    );
    assert_eq!((done.runners[0], done.runners[2]), (Some(0), Some(0)));
    assert_eq!(target.count("/teardown"), 1);
}

#[test]
fn three_runners_on_one_machine_are_one_run() {
    check_whole(&OneMachine);
}

#[test]
fn three_runners_on_addresses_of_their_own_are_one_run_and_none_is_lost_silently() {
    match Namespaces::make(0) {
        Some(place) => {
            check_whole(&place);
            check_killed(&place);
        }
        None => check_killed(&OneMachine),
    }
}

/// With and without permission to continue as a smaller run.
#[test]
fn teardown_runs_once_where_the_runner_that_ran_setup_dies_near_the_end() {
    for words in [&[][..], &["--degraded"]] {
        let folder = tempfile::tempdir().expect("a folder");
        let target = Target::start(Ipv4Addr::LOCALHOST);
        let plan = (LATE_LEADER, words, Some(LEADER));
        let done = run(&OneMachine, folder.path(), &target, plan);
        let leader = RUNNERS
            .iter()
            .find(|name| target.count(&format!("/setup/{name}")) == 1);
        let leader = leader.expect("one ran setup");
        assert_eq!(
            target.count(&format!("/teardown/{leader}")),
            1,
            "{words:?}: {:#}",
            done.result
        );
        assert!(
            reasons(&done.result).contains(&format!("the runner {leader} was lost")),
            "{:#}",
            done.result
        );
    }
}

#[test]
fn a_collector_that_is_not_there_is_an_error_before_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("x.js");
    fs::write(&script, "export default function () {}").expect("the folder is writable");
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", free.local_addr().expect("bound"));
    drop(free);
    let done = sparring()
        .args(["run", "--quiet", "--collector", &url])
        .arg(&script)
        .output();
    let done = done.expect("the binary was built");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success());
    assert!(
        said.contains("the collector") && said.contains("cannot be reached"),
        "{said}"
    );
}

/// The results that a runner saved itself, in the only folder below this one.
pub fn kept(results: &Path) -> Value {
    let folders: Vec<_> = fs::read_dir(results)
        .expect("something was kept")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    let text = fs::read_to_string(folders[0].join("runner.json")).expect("the result was kept");
    let result: Value = serde_json::from_str(&text).expect("JSON");
    let log = folders[0].join("runner.hlog");
    let merged = sparring().args(["merge", "--json"]).arg(&log).output();
    let merged = merged.expect("the binary was built");
    let rows: Value = serde_json::from_slice(&merged.stdout).expect("JSON");
    let count = result["metrics"]["http_req_duration"]["count"].as_f64();
    let logged = rows["rows"].as_array().expect("rows").last();
    let logged = logged.and_then(|row| row["values"].as_f64());
    assert_eq!(logged, count, "{rows:#}");
    result
}

/// A runner whose collector dies ends its load, reports this, and saves its measurements.
#[test]
fn a_runner_whose_collector_dies_keeps_what_it_measured() {
    let (folder, target) = (
        tempfile::tempdir().expect("a folder"),
        Target::start(Ipv4Addr::LOCALHOST),
    );
    let script = folder.path().join("load.js");
    fs::write(&script, SCRIPT.replace("duration: '4s'", "duration: '10m'")).expect("writable");
    let mut collect = sparring();
    collect.args([
        "collect",
        "--runners",
        "1",
        "--listen",
        "127.0.0.1:0",
        "--lost-after",
        "1s",
    ]);
    let collect = collect.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut collect = Member(collect.spawn().expect("the binary was built"));
    let mut said = BufReader::new(collect.0.stderr.take().expect("it is piped")).lines();
    let first = said
        .next()
        .expect("it says where it listens")
        .expect("text");
    let url = first.rsplit(' ').next().unwrap_or_default().to_owned();
    std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
    let mut runner = sparring();
    runner
        .current_dir(folder.path())
        .args(["run", "--quiet", "--collector", &url, "--runner", "one"])
        .args(["-e", &format!("TARGET={}", target.address), "load.js"]);
    let runner = runner.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut runner = Member(runner.spawn().expect("the binary was built"));
    let begun = Instant::now();
    while target.count("/item") < 60 {
        assert!(begun.elapsed() < PATIENCE, "the load does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    collect.0.kill().expect("it can be killed");
    let code = runner.end();
    let mut told = String::new();
    let mut stderr = runner.0.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut told).expect("text");
    assert!(code.is_some_and(|code| code != 0), "{code:?} {told}");
    assert!(
        told.contains("the measurements of this runner are in results/"),
        "{told}"
    );
    assert!(!told.contains("panicked"), "{told}");
    let result = kept(&folder.path().join("results"));
    assert_eq!(result["runner"], "one");
    let checks = result["checks"][0]["passes"].as_u64();
    assert!(checks.is_some_and(|passes| passes >= 60), "{result:#}");
}
