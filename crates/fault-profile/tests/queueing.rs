//! The queue compared with queueing theory: Erlang C for the mean wait, Erlang B for blocking.

use std::time::Duration;

use fault_profile::Latency;
use fault_profile::draw::{Draws, Purpose, Root};
use fault_profile::job_queue::{Admission, Job, JobQueue, Start};
use fault_profile::queue::{Batching, Discipline, Overflow, QueueConfig};
use fault_profile::rate_limit::{RateLimit, Scope, TokenBucket};
use fault_profile::sampler::Sampler;

const SERVICE_MS: f64 = 10.0;

fn config(workers: u32, capacity: u32, service: Latency) -> QueueConfig {
    let (discipline, overflow) = (Discipline::Fifo, Overflow::default());
    QueueConfig {
        workers,
        service,
        capacity,
        discipline,
        overflow,
        batch: None,
    }
}

fn markov() -> Latency {
    Latency::Exponential {
        mean_ms: SERVICE_MS,
    }
}

/// The result of a simulated queue with Poisson arrivals.
struct Observed {
    mean_wait_ms: f64,
    blocked: f64,
}

fn simulate(config: &QueueConfig, load: f64, arrivals: u64) -> Observed {
    let between = Sampler::new(&Latency::Exponential {
        mean_ms: SERVICE_MS / (load * f64::from(config.workers)),
    });
    let service = Sampler::new(&config.service);
    let mut draws: Draws = Root::new(11).draws(Purpose::Service);
    let mut line = JobQueue::new(config);
    let mut arrived = Vec::new();
    let (mut now_ms, mut blocked, mut started) = (0.0, 0u64, Vec::new());
    for ticket in 0..arrivals {
        now_ms += between.draw_ms(&mut draws);
        let now = Duration::from_secs_f64(now_ms / 1e3);
        arrived.push(now);
        let job = Job {
            ticket,
            service: service.draw(&mut draws),
        };
        if line.arrive(now, job, &mut started) == Admission::Overflow {
            blocked += 1;
        }
    }
    line.advance(Duration::MAX, &mut started);
    let wait = |start: &Start| (start.at - arrived[start.ticket as usize]).as_secs_f64() * 1e3;
    let mean_wait_ms = started.iter().map(wait).sum::<f64>() / started.len() as f64;
    Observed {
        mean_wait_ms,
        blocked: blocked as f64 / arrivals as f64,
    }
}

/// Probability that all `workers` are busy, without a queue (Erlang 1917).
fn erlang_b(workers: u32, offered: f64) -> f64 {
    (1..=workers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b))
}

/// Probability of having to wait.
fn erlang_c(workers: u32, load: f64) -> f64 {
    let b = erlang_b(workers, load * f64::from(workers));
    b / (1.0 - load * (1.0 - b))
}

fn check_wait(config: &QueueConfig, load: f64, expected_ms: f64) {
    let arrivals = if load > 0.9 { 1_500_000 } else { 300_000 };
    let observed = simulate(config, load, arrivals).mean_wait_ms;
    // The mean of a queue at 0.95 converges slowly: its own samples are correlated.
    let tolerance = if load > 0.9 { 0.06 } else { 0.03 };
    let error = (observed - expected_ms).abs() / expected_ms;
    assert!(
        error < tolerance,
        "{} workers at {load}: {observed} ms, expected {expected_ms}",
        config.workers
    );
}

#[test]
fn exponential_service_waits_as_erlang_c_says() {
    for load in [0.5, 0.8, 0.95] {
        for workers in [1, 4] {
            let expected =
                erlang_c(workers, load) * SERVICE_MS / (f64::from(workers) * (1.0 - load));
            check_wait(&config(workers, 1_000_000, markov()), load, expected);
        }
    }
}

#[test]
fn constant_service_waits_half_as_long() {
    for load in [0.5, 0.8, 0.95] {
        // Pollaczek–Khinchine for M/D/1.
        let expected = load * SERVICE_MS / (2.0 * (1.0 - load));
        check_wait(
            &config(1, 1_000_000, Latency::Constant { ms: SERVICE_MS }),
            load,
            expected,
        );
    }
}

#[test]
fn without_a_queue_blocking_is_erlang_b_whatever_the_service() {
    for service in [markov(), Latency::Constant { ms: SERVICE_MS }] {
        for (workers, load) in [(1, 0.5), (4, 0.8), (4, 0.95), (10, 0.8)] {
            let observed = simulate(&config(workers, 0, service.clone()), load, 500_000).blocked;
            let expected = erlang_b(workers, load * f64::from(workers));
            assert!(
                (observed - expected).abs() < 0.006,
                "{workers} {load}: {observed} {expected}"
            );
        }
    }
}

fn starts(config: &QueueConfig, arrivals_ms: &[u64]) -> Vec<(u64, u64, u32)> {
    let mut line = JobQueue::new(config);
    let mut started = Vec::new();
    let service = Sampler::new(&config.service).draw(&mut Root::new(0).draws(Purpose::Service));
    for (ticket, at_ms) in arrivals_ms.iter().enumerate() {
        let job = Job {
            ticket: ticket as u64,
            service,
        };
        line.arrive(Duration::from_millis(*at_ms), job, &mut started);
    }
    line.advance(Duration::MAX, &mut started);
    started
        .iter()
        .map(|start| (start.ticket, start.at.as_millis() as u64, start.batch))
        .collect()
}

#[test]
fn first_come_first_served_and_last_come_first_served() {
    let mut config = config(1, 10, Latency::Constant { ms: SERVICE_MS });
    assert_eq!(
        starts(&config, &[0, 1, 2]),
        [(0, 0, 1), (1, 10, 1), (2, 20, 1)]
    );
    config.discipline = Discipline::Lifo;
    assert_eq!(
        starts(&config, &[0, 1, 2]),
        [(0, 0, 1), (2, 10, 1), (1, 20, 1)]
    );
}

#[test]
fn a_batch_starts_when_it_is_full_or_its_time_is_over() {
    let mut config = config(1, 10, Latency::Constant { ms: SERVICE_MS });
    config.batch = Some(Batching {
        max_items: 2,
        wait_ms: 5.0,
    });
    assert_eq!(
        starts(&config, &[0, 1, 12, 30, 31, 32]),
        [
            (0, 1, 2),
            (1, 1, 2),
            (2, 17, 1),
            (3, 31, 2),
            (4, 31, 2),
            (5, 41, 1)
        ]
    );
}

#[test]
fn a_job_that_leaves_takes_no_worker() {
    let config = config(1, 10, Latency::Constant { ms: SERVICE_MS });
    let mut line = JobQueue::new(&config);
    let mut started = Vec::new();
    for ticket in 0..3 {
        let job = Job {
            ticket,
            service: Duration::from_millis(10),
        };
        line.arrive(Duration::ZERO, job, &mut started);
    }
    assert!(line.leave(1));
    assert!(!line.leave(0), "it is in service already");
    line.advance(Duration::MAX, &mut started);
    let tickets: Vec<u64> = started.iter().map(|start| start.ticket).collect();
    assert_eq!(tickets, [0, 2]);
}

#[test]
fn no_window_admits_more_than_the_limit() {
    let limit = RateLimit {
        rate_per_s: 50.0,
        burst: 10,
        scope: Scope::Detector,
    };
    let mut bucket = TokenBucket::default();
    let times: Vec<Duration> = (0..5_000u64).map(Duration::from_millis).collect();
    let admitted: Vec<Duration> = times
        .into_iter()
        .filter(|now| bucket.admit(&limit, *now).is_ok())
        .collect();
    assert!(
        (admitted.len() as i64 - (10 + 250)).abs() <= 1,
        "{}",
        admitted.len()
    );
    for (index, first) in admitted.iter().enumerate() {
        for (count, last) in admitted[index..].iter().enumerate() {
            let allowed = 10.0 + 50.0 * (*last - *first).as_secs_f64() + 1e-6;
            assert!(
                (count + 1) as f64 <= allowed + 1.0,
                "{first:?} to {last:?}: {}",
                count + 1
            );
        }
    }
}

#[test]
fn a_refusal_says_when_to_come_again() {
    let limit = RateLimit {
        rate_per_s: 2.0,
        burst: 1,
        scope: Scope::Detector,
    };
    let mut bucket = TokenBucket::default();
    assert_eq!(bucket.admit(&limit, Duration::ZERO), Ok(()));
    let wait = bucket
        .admit(&limit, Duration::from_millis(100))
        .expect_err("the bucket is empty");
    assert!((wait.as_secs_f64() - 0.4).abs() < 1e-6, "{wait:?}");
    assert_eq!(bucket.admit(&limit, Duration::from_millis(500)), Ok(()));
}
