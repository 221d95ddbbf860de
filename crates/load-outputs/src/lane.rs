//! The threads and queues of the outputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use load_metrics::{Batch, BatchSink};

use crate::output::{Output, OutputError, RunEnd, Setup};
use load_engine::log::{Level, Logger};

/// Maximum number of queued batches per output; with 512 samples each about 40 MB, and a second of a million
/// samples.
const QUEUE_BATCHES: usize = 2048;

/// The running outputs of a run.
#[derive(Debug)]
pub struct Outputs {
    lanes: Arc<Vec<Lane>>,
    threads: Vec<JoinHandle<Option<OutputError>>>,
}

#[derive(Debug)]
struct Lane {
    name: String,
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Samples(Arc<Batch>),
    End(Arc<RunEnd>),
}

/// The result of one output.
#[derive(Debug)]
pub struct LaneReport {
    /// Its description.
    pub name: String,
    /// Samples that were dropped before it or that it could not write.
    pub dropped_samples: u64,
    /// The first failure; it has been logged.
    pub error: Option<OutputError>,
}

/// A worker thread's connection to all outputs.
struct Fan(Arc<Vec<Lane>>);

impl Outputs {
    /// Starts all outputs; on an error none is running.
    ///
    /// # Errors
    /// When one cannot start.
    pub fn start(outputs: Vec<Box<dyn Output>>, setup: &Setup) -> Result<Self, OutputError> {
        Self::start_with_capacity(outputs, setup, QUEUE_BATCHES)
    }

    fn start_with_capacity(
        mut outputs: Vec<Box<dyn Output>>,
        setup: &Setup,
        batches: usize,
    ) -> Result<Self, OutputError> {
        for output in &mut outputs {
            output.start(setup)?;
        }
        let mut lanes = Vec::new();
        let mut threads = Vec::new();
        for output in outputs {
            let (queue, waiting) = sync_channel(batches);
            let dropped = Arc::new(AtomicU64::new(0));
            lanes.push(Lane {
                name: output.description(),
                queue,
                dropped: Arc::clone(&dropped),
            });
            let mut worker = Worker {
                output,
                dropped,
                logger: setup.logger.clone(),
                failed: None,
                counted: 0,
            };
            threads.push(std::thread::spawn(move || worker.run(&waiting)));
        }
        Ok(Self {
            lanes: Arc::new(lanes),
            threads,
        })
    }

    /// Whether there is no output, so that recorders need no sink.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// A sink for one recorder.
    pub fn sink(&self) -> Box<dyn BatchSink> {
        Box::new(Fan(Arc::clone(&self.lanes)))
    }

    /// Samples dropped so far, over all outputs.
    pub fn dropped_samples(&self) -> u64 {
        let dropped = |lane: &Lane| lane.dropped.load(Ordering::Relaxed);
        self.lanes.iter().map(dropped).sum()
    }

    /// Lets every output write its queue and stop. Blocks until all have stopped.
    pub fn finish(self, end: RunEnd) -> Vec<LaneReport> {
        let end = Arc::new(end);
        for lane in self.lanes.iter() {
            // A thread that has stopped has stored its error.
            let _ = lane.queue.send(Message::End(Arc::clone(&end)));
        }
        let lanes = self.lanes.iter().zip(self.threads);
        lanes
            .map(|(lane, thread)| LaneReport {
                error: thread.join().unwrap_or(None),
                name: lane.name.clone(),
                dropped_samples: lane.dropped.load(Ordering::Relaxed),
            })
            .collect()
    }

    /// Waits at most `patience` until every output has taken the samples that recorders still send, and stops
    /// without [`Output::finish`]. Returns false if a recorder or an output takes longer.
    ///
    /// For a run that was abandoned; its recorders end at the same time.
    pub fn abandon(self, patience: Duration) -> bool {
        drop(self.lanes);
        let deadline = Instant::now() + patience;
        let mut threads = self.threads.iter();
        threads.all(|thread| {
            while !thread.is_finished() {
                if Instant::now() >= deadline {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            true
        })
    }
}

impl BatchSink for Fan {
    fn offer(&self, batch: Batch) {
        let batch = Arc::new(batch);
        for lane in self.0.iter() {
            let sent = lane.queue.try_send(Message::Samples(Arc::clone(&batch)));
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sent {
                count(&lane.dropped, batch.len());
            }
        }
    }
}

struct Worker {
    output: Box<dyn Output>,
    dropped: Arc<AtomicU64>,
    logger: Logger,
    failed: Option<OutputError>,
    /// The samples that the output reported as lost; included in `dropped`.
    counted: u64,
}

impl Worker {
    fn run(&mut self, waiting: &Receiver<Message>) -> Option<OutputError> {
        let mut next_tick = Instant::now() + self.output.interval();
        loop {
            let patience = next_tick.saturating_duration_since(Instant::now());
            match waiting.recv_timeout(patience) {
                Ok(Message::Samples(batch)) => self.take(&batch),
                Ok(Message::End(end)) => {
                    self.attempt(|output| output.finish(&end));
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The run was aborted, so there is no report.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= next_tick {
                self.attempt(Output::tick);
                next_tick = Instant::now() + self.output.interval();
            }
        }
        self.failed.take()
    }

    fn take(&mut self, batch: &Batch) {
        if !self.attempt(|output| output.consume(batch)) {
            count(&self.dropped, batch.len());
        }
    }

    /// Whether the step succeeded. After a failure there are no further attempts.
    fn attempt(
        &mut self,
        step: impl FnOnce(&mut (dyn Output + 'static)) -> Result<(), OutputError>,
    ) -> bool {
        if self.failed.is_some() {
            return false;
        }
        let result = step(self.output.as_mut());
        let lost = self.output.lost_samples();
        self.dropped
            .fetch_add(lost - self.counted, Ordering::Relaxed);
        self.counted = lost;
        let Err(error) = result else {
            return true;
        };
        let name = self.output.description();
        self.logger
            .log(Level::Error, &error.to_string(), &[("output", &name)]);
        self.failed = Some(error);
        false
    }
}

fn count(dropped: &AtomicU64, samples: usize) {
    let samples = u64::try_from(samples).unwrap_or(u64::MAX);
    dropped.fetch_add(samples, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc;

    use load_metrics::{Registry, Sample, Tags, UnixNanos, builtin};

    use super::*;
    use load_engine::options::Options;

    /// Waits for a permit before each batch and reports what it saw.
    struct Probe {
        permits: mpsc::Receiver<()>,
        seen: Arc<Mutex<Vec<f64>>>,
        fails_at: Option<f64>,
        lost: u64,
    }

    impl Output for Probe {
        fn description(&self) -> String {
            "probe".to_owned()
        }

        fn start(&mut self, _: &Setup) -> Result<(), OutputError> {
            Ok(())
        }

        fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
            let _ = self.permits.recv();
            if self.fails_at == Some(samples[0].value) {
                return Err(OutputError::Write {
                    target: "probe".to_owned(),
                    source: std::io::Error::other("full"),
                });
            }
            let negative = samples.iter().filter(|sample| sample.value < 0.0).count();
            self.lost += u64::try_from(negative).unwrap();
            let values = samples.iter().map(|sample| sample.value);
            self.seen.lock().unwrap().extend(values);
            Ok(())
        }

        fn interval(&self) -> Duration {
            Duration::from_secs(3600)
        }

        fn tick(&mut self) -> Result<(), OutputError> {
            Ok(())
        }

        fn finish(&mut self, _: &RunEnd) -> Result<(), OutputError> {
            self.seen.lock().unwrap().push(-1.0);
            Ok(())
        }

        fn lost_samples(&self) -> u64 {
            self.lost
        }
    }

    fn batch(value: f64) -> Batch {
        vec![Sample {
            metric: builtin::ITERATIONS,
            at: UnixNanos(0),
            value,
            tags: Arc::new(Tags::default()),
            metadata: None,
        }]
    }

    fn start(probe: Probe, capacity: usize) -> Outputs {
        let setup = Setup {
            registry: Arc::new(Registry::new()),
            options: Arc::new(Options::default()),
            logger: Logger::silent(),
            standings: load_engine::Standings::default(),
            stdout: Arc::new(Mutex::new(Vec::new())),
        };
        Outputs::start_with_capacity(vec![Box::new(probe)], &setup, capacity).unwrap()
    }

    /// Offers batches of one value to a probe that consumes nothing until all are offered.
    fn check(
        batches: std::ops::Range<i32>,
        capacity: usize,
        fails_at: Option<f64>,
    ) -> (Vec<f64>, u64, Option<OutputError>) {
        let (permit, permits) = mpsc::channel();
        let seen = Arc::default();
        let probe = Probe {
            permits,
            seen: Arc::clone(&seen),
            fails_at,
            lost: 0,
        };
        let outputs = start(probe, capacity);
        let sink = outputs.sink();
        for value in batches {
            sink.offer(batch(f64::from(value)));
        }
        drop(permit);
        let report = outputs.finish(RunEnd::default()).remove(0);
        let seen = seen.lock().unwrap().clone();
        (seen, report.dropped_samples, report.error)
    }

    #[test]
    fn an_output_gets_all_samples_in_order_and_then_the_end() {
        let (seen, dropped, error) = check(0..4, 8, None);
        assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, -1.0]);
        assert_eq!(dropped, 0);
        assert!(error.is_none());
    }

    /// A recorder that sends its last samples only after the run was abandoned.
    #[test]
    fn an_abandoned_run_gives_an_output_what_recorders_still_send() {
        let (permit, permits) = mpsc::channel();
        let seen = Arc::default();
        let probe = Probe {
            permits,
            seen: Arc::clone(&seen),
            fails_at: None,
            lost: 0,
        };
        let outputs = start(probe, 8);
        let sink = outputs.sink();
        drop(permit);
        let recorder = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            sink.offer(batch(4.0));
        });
        assert!(outputs.abandon(Duration::from_secs(60)));
        assert_eq!(*seen.lock().unwrap(), [4.0]);
        recorder.join().unwrap();
    }

    #[test]
    fn an_abandoned_run_does_not_wait_longer_than_it_may() {
        let (permit, permits) = mpsc::channel();
        let probe = Probe {
            permits,
            seen: Arc::default(),
            fails_at: None,
            lost: 0,
        };
        let outputs = start(probe, 8);
        outputs.sink().offer(batch(4.0));
        assert!(!outputs.abandon(Duration::from_millis(20)));
        drop(permit);
    }

    #[test]
    fn samples_that_do_not_fit_into_the_queue_are_counted_not_waited_for() {
        let (seen, dropped, _) = check(0..100, 8, None);
        // The thread may hold one batch beside the eight that wait.
        let taken = seen.len() as u64 - 1;
        assert!((8..=9).contains(&taken), "{taken} batches were taken");
        assert_eq!(taken + dropped, 100);
    }

    #[test]
    fn after_a_failure_samples_count_as_dropped() {
        let (seen, dropped, error) = check(0..5, 8, Some(2.0));
        assert_eq!(seen, [0.0, 1.0]);
        assert_eq!(dropped, 3);
        assert_eq!(error.unwrap().to_string(), "cannot write to probe: full");
    }
    #[test]
    fn what_an_output_could_not_deliver_counts_as_dropped() {
        let (seen, dropped, error) = check(-3..2, 8, None);
        assert_eq!(seen, [-3.0, -2.0, -1.0, 0.0, 1.0, -1.0]);
        assert_eq!(dropped, 3);
        assert!(error.is_none());
    }
}
