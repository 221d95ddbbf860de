//! `kill -9` at any moment: no accepted job is lost, none is done twice.
//!
//! The test starts itself again as a victim that submits and runs jobs and keeps a journal of the store's
//! replies; it kills the victim after a random number of lines, checks the store, and repeats this.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use job_store::{Config, Embedded, JobId, JobState, NewJob, Outcome};

const NAME: &str = "no_accepted_job_is_lost_or_done_twice_by_kill_nine";
const FOLDER: &str = "KILL_NINE_FOLDER";
const ROUNDS: u64 = 200;
/// Maximum number of jobs of one victim, which also ends by itself.
const JOBS: usize = 40;
const VICTIM_LIFE: Duration = Duration::from_secs(20);

#[test]
fn no_accepted_job_is_lost_or_done_twice_by_kill_nine() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        victim(Path::new(&folder));
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut witness = Witness::default();
    for round in 0..ROUNDS {
        let journal = journal(folder.path());
        let before = lines(&journal);
        let child = start(folder.path());
        kill_after(
            child,
            &journal,
            before + chance(round) as usize % (3 * JOBS),
        );
        witness.read(&journal);
        witness.compare(folder.path(), round);
    }
    finish_the_rest(folder.path());
    witness.read(&journal(folder.path()));
    witness.check_all(folder.path());
}

/// The store's replies, and its later states.
#[derive(Default)]
struct Witness {
    read: usize,
    accepted: Vec<JobId>,
    finishes: HashMap<JobId, u32>,
    /// Outcomes seen once; they must never change.
    outcomes: HashMap<JobId, Vec<u8>>,
}

impl Witness {
    fn read(&mut self, journal: &Path) {
        let text = fs::read_to_string(journal).unwrap_or_default();
        for line in text.lines().skip(self.read) {
            let (word, id) = line.split_once(' ').expect("lines are written whole");
            let id: JobId = id.parse().expect("an id");
            match word {
                "accepted" => self.accepted.push(id),
                _ => *self.finishes.entry(id).or_default() += 1,
            }
        }
        self.read = text.lines().count();
    }

    /// Every accepted job exists; a job that the client saw finish is finished on disk.
    fn compare(&mut self, folder: &Path, round: u64) {
        let open: Vec<JobId> = self
            .accepted
            .iter()
            .copied()
            .filter(|id| !self.outcomes.contains_key(id))
            .collect();
        let (finishes, outcomes) = (&self.finishes, &mut self.outcomes);
        runtime().block_on(async {
            let store = open_store(folder);
            for id in open {
                let status = store.status(id, None).await;
                let status = status.unwrap_or_else(|error| panic!("round {round}: {id}: {error}"));
                assert_ne!(
                    status.job.state,
                    JobState::Running,
                    "nobody can hold it now"
                );
                if finishes.contains_key(&id) {
                    assert_eq!(status.job.state, JobState::Completed, "round {round}: {id}");
                }
                if let Some(outcome) = status.outcome {
                    outcomes.insert(id, outcome.to_vec());
                }
            }
            store.close().await;
        });
    }

    fn check_all(&self, folder: &Path) {
        assert!(
            self.accepted.len() as u64 > ROUNDS,
            "the victims must get something done"
        );
        assert!(
            self.finishes.values().all(|count| *count == 1),
            "finished twice"
        );
        runtime().block_on(async {
            let store = open_store(folder);
            for id in &self.accepted {
                let status = store
                    .status(*id, None)
                    .await
                    .expect("accepted jobs are kept");
                assert_eq!(status.job.state, JobState::Completed, "{id}");
                let outcome = status
                    .outcome
                    .expect("a completed job has a result")
                    .to_vec();
                if let Some(seen) = self.outcomes.get(id) {
                    assert_eq!(&outcome, seen, "{id} had another result before");
                }
            }
            assert_eq!(
                store.payloads().await.expect("it reads"),
                0,
                "content is left behind"
            );
            store.close().await;
        });
        // Not a difference of lengths: a job may finish before its submitter recorded that it was accepted.
        let unseen = |id: &&JobId| !self.finishes.contains_key(id);
        let finished_unseen = self.accepted.iter().filter(unseen).count();
        eprintln!(
            "{} jobs, {finished_unseen} killed between commit and answer",
            self.accepted.len()
        );
    }
}

/// Submits and runs jobs until it is killed, and records each reply of the store in the journal.
fn victim(folder: &Path) {
    runtime().block_on(async {
        let store = open_store(folder);
        let journal = OpenOptions::new()
            .append(true)
            .create(true)
            .open(journal(folder));
        let journal = Arc::new(journal.expect("the folder is there"));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            tasks.spawn(submit(store.clone(), Arc::clone(&journal)));
            tasks.spawn(work(store.clone(), Arc::clone(&journal)));
        }
        let _ = tokio::time::timeout(VICTIM_LIFE, tasks.join_all()).await;
    });
}

async fn submit(store: Embedded, journal: Arc<File>) {
    for number in 0..JOBS / 4 {
        let job = NewJob {
            request_id: number.to_string(),
            tenant: "t".to_owned(),
            urgency: (number % 3) as u8,
            payload: vec![b'x'; 100 * number].into(),
        };
        let id = store.submit(job).await.expect("room").id;
        note(&journal, "accepted", id);
    }
}

async fn work(store: Embedded, journal: Arc<File>) {
    loop {
        let claim = store
            .next(Duration::from_secs(60))
            .await
            .expect("the disk works");
        let id = claim.job.id;
        let result = format!(
            "epoch {} of process {}",
            claim.job.epoch,
            std::process::id()
        );
        claim
            .finish(Outcome::Completed(result.into()))
            .await
            .expect("held");
        note(&journal, "finished", id);
    }
}

/// One write, so that a line is complete or missing.
fn note(mut journal: &File, word: &str, id: JobId) {
    journal
        .write_all(format!("{word} {id}\n").as_bytes())
        .expect("the disk has room");
}

fn finish_the_rest(folder: &Path) {
    runtime().block_on(async {
        let store = open_store(folder);
        while let Some(claim) = store
            .claim(Duration::from_secs(60))
            .await
            .expect("it reads")
        {
            claim
                .finish(Outcome::Completed("the rest".into()))
                .await
                .expect("held");
        }
        store.close().await;
    });
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", NAME, "--test-threads", "1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test can be started again")
}

/// Kills the victim once the journal has this many lines, or when the victim has finished.
fn kill_after(mut child: Child, journal: &Path, wanted: usize) {
    let (mut seen, mut changed) = (0, Instant::now());
    loop {
        let now = lines(journal);
        if now != seen {
            (seen, changed) = (now, Instant::now());
        }
        let idle = seen > 0 && changed.elapsed() > Duration::from_millis(500);
        if now >= wanted || idle || child.try_wait().expect("it is ours").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    // SIGKILL; an error means that it has ended by itself.
    let _ = child.kill();
    child.wait().expect("it is ours");
}

fn lines(journal: &Path) -> usize {
    fs::read(journal).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}

fn journal(folder: &Path) -> PathBuf {
    folder.join("journal")
}

fn open_store(folder: &Path) -> Embedded {
    let mut config = Config::new(folder.join("jobs.redb"));
    // Every kill counts as a lost worker; here no job may be given up.
    config.max_lost = u32::MAX;
    Embedded::open(config).expect("the file opens after any kill")
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads")
}

/// A number for this round, the same in every run (splitmix64).
fn chance(round: u64) -> u64 {
    let mut z = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
