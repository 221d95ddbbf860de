//! `kill -9` of the real service under asynchronous load: every job accepted with 202 is done once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::orchestrator_process::{Orchestrator, Start, ended, fleet_of, submit};
use crate::stack::Up;
use job_store::testing::redis_server::Server;

/// The number of rounds; `KILL_NINE_ROUNDS=200` sets more.
const ROUNDS: u64 = 4;
const CLIENTS: usize = 4;

const DETECTORS: &str = "
detectors:
  one: { endpoint: 'http://localhost:0/detect', mock: { latency: { uniform: { min_ms: 1, max_ms: 30 } } } }
  two: { endpoint: 'http://localhost:0/detect', mock: { latency: { uniform: { min_ms: 1, max_ms: 30 } } } }
";

#[test]
fn no_accepted_job_is_lost_or_has_two_results_whenever_the_service_is_killed() {
    let rounds = rounds();
    let up = Up::start(DETECTORS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = settle(&up, folder.path(), None);
    let start = start.start();
    let mut witness = Witness::default();
    for round in 0..rounds {
        let mut service = Orchestrator::start(&start);
        let load = Load::start(&service.url, round);
        // Up to a third of a second, the same in every run.
        std::thread::sleep(Duration::from_micros(chance(round) % 333_000));
        service.kill();
        witness.accepted.extend(load.stop());
        let service = Orchestrator::start(&start);
        witness.look(&service);
    }
    let service = Orchestrator::start(&start);
    witness.finish(&service);
    let jobs = witness.accepted.len();
    eprintln!("{rounds} rounds, {jobs} accepted jobs: none lost, one result each");
    assert!(jobs as u64 >= rounds, "the clients must get something done");
}

fn rounds() -> u64 {
    std::env::var("KILL_NINE_ROUNDS").map_or(ROUNDS, |rounds| {
        rounds.parse().expect("KILL_NINE_ROUNDS is a number")
    })
}

#[test]
fn a_killed_replicas_jobs_are_finished_by_the_other() {
    let rounds = rounds();
    let Some(redis) = Server::start() else {
        return;
    };
    let up = Up::start(DETECTORS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (url, second) = (redis.url(), folder.path().join("second"));
    let settled = settle(&up, folder.path(), Some(&url));
    let start = settled.start();
    let other = Start {
        data_dir: &second,
        ..start
    };
    let survivor = Orchestrator::start(&other);
    let mut witness = Witness::default();
    for round in 0..rounds {
        let mut victim = Orchestrator::start(&start);
        // Both receive jobs, and both run them.
        let loads = [&victim.url, &survivor.url].map(|url| Load::start(url, round));
        std::thread::sleep(Duration::from_micros(100_000 + chance(round) % 500_000));
        victim.kill();
        for load in loads {
            witness.accepted.extend(load.stop());
        }
        witness.look(&survivor);
    }
    witness.finish(&survivor);
    // Another replica shows the same.
    let second = Orchestrator::start(&start);
    witness.finish(&second);
    let jobs = witness.accepted.len();
    eprintln!("{rounds} kills, {jobs} accepted jobs: none lost, one result each");
    assert!(jobs as u64 >= rounds, "the clients must get something done");
}

/// The settings of an orchestrator.
struct Settled<'a> {
    fleet: std::path::PathBuf,
    data_dir: std::path::PathBuf,
    redis_url: Option<&'a str>,
}

impl Settled<'_> {
    fn start(&self) -> Start<'_> {
        Start {
            fleet: &self.fleet,
            data_dir: &self.data_dir,
            redis_url: self.redis_url,
            port: 0,
        }
    }
}

fn settle<'a>(up: &Up, folder: &Path, redis_url: Option<&'a str>) -> Settled<'a> {
    let fleet = folder.join("detectors.yaml");
    // Many processes share few cores, so deadlines are not tested here.
    let more = json!({
        "job_lease_ms": 2000, "redis_timeout_ms": 10_000, "cache": { "enabled": false },
    });
    fleet_of(up, &["one", "two"], &more, &fleet);
    Settled {
        fleet,
        data_dir: folder.join("data"),
        redis_url,
    }
}

/// Clients that submit jobs until they are stopped or the service has ended.
struct Load {
    stop: Arc<AtomicBool>,
    accepted: Arc<Mutex<Vec<String>>>,
    clients: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(url: &str, round: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let client = |client: usize| {
            let (url, stop, accepted) = (url.to_owned(), Arc::clone(&stop), Arc::clone(&accepted));
            std::thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let Some(id) = submit(&url, &format!("{round} {client} {number}")) else {
                        return;
                    };
                    let mut accepted = accepted.lock().expect("no client panics with the lock");
                    accepted.push(id);
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self {
            stop,
            accepted,
            clients,
        }
    }

    /// The ids of all jobs that were accepted.
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("no client panics");
        }
        std::mem::take(
            &mut *self
                .accepted
                .lock()
                .expect("no client panics with the lock"),
        )
    }
}

/// The accepted jobs, and the results seen so far.
#[derive(Default)]
struct Witness {
    accepted: Vec<String>,
    /// The number of jobs accepted before this round.
    old: usize,
    results: HashMap<String, Value>,
}

impl Witness {
    /// Checks that the service knows every job without a result so far, and records new results.
    /// Jobs of the previous round are waited for, since a job that is interrupted by kill after
    /// kill is abandoned.
    fn look(&mut self, service: &Orchestrator) {
        for id in &self.accepted[..self.old] {
            if !self.results.contains_key(id) {
                let job = ended(service, id);
                assert_eq!(job["status"], "completed", "{job}");
                self.results.insert(id.clone(), job["result"].clone());
            }
        }
        let begun = Instant::now();
        for id in &self.accepted[self.old..] {
            let answer = service.get(&format!("/orchestrate/status/{id}"));
            let (status, job) = answer.expect("it serves");
            assert_eq!(status, 200, "job {id} is lost: {job}");
            if job["status"] == "completed" {
                self.results.insert(id.clone(), job["result"].clone());
            }
            // The rest is checked in the next round.
            if begun.elapsed() > Duration::from_secs(1) {
                break;
            }
        }
        self.old = self.accepted.len();
    }

    /// Checks that every job is completed, with the result that was seen before.
    fn finish(&mut self, service: &Orchestrator) {
        for id in &self.accepted {
            let job = ended(service, id);
            assert_eq!(job["status"], "completed", "{job}");
            assert_eq!(job["result"]["job_id"], **id);
            let seen = self.results.entry(id.clone());
            let seen = seen.or_insert_with(|| job["result"].clone());
            assert_eq!(*seen, job["result"], "job {id} had another result before");
        }
    }
}

/// A number for this round, the same in every run (splitmix64).
fn chance(round: u64) -> u64 {
    let mut z = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
