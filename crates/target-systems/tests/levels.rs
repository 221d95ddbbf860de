//! Caches and memory: checks C-12 to C-14 of the design.

mod lab;

use std::sync::Arc;
use std::time::Duration;

use lab::forms::*;
use lab::*;
use target_systems::network::{Finished, Network};
use target_systems::plan::{
    Cache, CacheKey, Cached, Call, Component, Crash, CrashAnswer, Demand, Garbage, Host, Leak,
    Plan, Popularity, Population, Step,
};

fn cache(capacity: usize, ttl: Option<Duration>, seed: u64) -> Plan {
    let component = Component {
        cache: Some(Cache {
            population: Some(Population {
                keys: 500,
                popularity: Popularity::Uniform,
            }),
            capacity,
            ttl,
            entry_kb: 1.0,
        }),
        ..component("cache", None, Demand::default())
    };
    let mut plan = system(Host::unlimited("host"), component, seed);
    plan.endpoints[0] = endpoint([Step::Cached(Cached {
        call: Call {
            component: 0,
            operation: 0,
        },
        key: CacheKey::Population,
        miss: Arc::new([]),
    })]);
    plan
}

/// Hits and misses of requests at equal intervals.
fn ask(network: &mut Network, requests: std::ops::Range<u64>, gap: Duration) -> (u64, u64) {
    let before = network.read(network.now());
    for n in requests {
        network.arrive(gap * n as u32, arrival(n));
    }
    network.finished().for_each(drop);
    let after = network.read(network.now());
    let hits = after.components[0].cache_hits - before.components[0].cache_hits;
    let misses = after.components[0].cache_misses - before.components[0].cache_misses;
    (hits, misses)
}

fn hit_ratio(plan: Plan, warm: u64, requests: u64, gap: Duration) -> f64 {
    let mut network = network(plan);
    ask(&mut network, 0..warm, gap);
    let (hits, misses) = ask(&mut network, warm..warm + requests, gap);
    assert_eq!(hits + misses, requests);
    hits as f64 / requests as f64
}

#[test]
fn c_12_an_lru_of_half_the_keys_hits_half_the_time() {
    let ratio = hit_ratio(cache(250, None, 7), 5_000, 200_000, ms(1));
    check_near(ratio, 250.0 / 500.0, 0.01, "hits");
}

#[test]
fn c_12_a_time_to_live_costs_one_miss_for_each_time_a_key_is_filled() {
    let rate = 21.0;
    let ttl = Duration::from_secs(300);
    let gap = Duration::from_secs(1) / rate as u32;
    let ratio = hit_ratio(cache(500, Some(ttl), 7), 21 * 3_000, 21 * 30_000, gap);
    check_near(ratio, ttl_hits(rate, 300.0, 500.0), 0.005, "hits");
}

#[test]
fn c_12_ageing_shortens_the_time_to_live() {
    let mut plan = cache(500, Some(Duration::from_secs(3_000)), 7);
    plan.ageing = 10.0;
    let ratio = hit_ratio(plan, 21 * 3_000, 21 * 30_000, Duration::from_secs(1) / 21);
    check_near(ratio, ttl_hits(21.0, 300.0, 500.0), 0.005, "hits");
}

#[test]
fn c_12_a_cold_cache_fills_as_its_keys_are_asked_for() {
    for n in [100i32, 500, 1_000] {
        let seeds = 200;
        let hits: u64 = (0..seeds)
            .map(|seed| {
                let mut network = network(cache(500, None, seed));
                ask(&mut network, 0..n as u64, ms(1));
                // Thirty further requests, during which the ratio is almost constant.
                ask(&mut network, n as u64..n as u64 + 30, ms(1)).0
            })
            .sum();
        let expected: f64 = (n..n + 30)
            .map(|n| 1.0 - (1.0 - 1.0 / 500.0f64).powi(n))
            .sum::<f64>()
            / 30.0;
        let asked = (30 * seeds) as f64;
        let error = (expected * (1.0 - expected) / asked).sqrt();
        let found = hits as f64 / asked;
        assert!(
            (found - expected).abs() <= 4.0 * error,
            "behind {n}: {found} ± {error}, expected {expected}"
        );
    }
}

const RATE: u64 = 50;

fn leaking(ageing: f64) -> Plan {
    let host = Host {
        memory_mb: Some(4_096.0),
        base_mb: 1_200.0,
        leak: Some(Leak {
            kb_per_request: 200.0,
            kb_per_s: 0.0,
        }),
        crash: Crash {
            restart: Duration::from_secs(10),
            detect: Duration::from_secs(1),
            in_flight: CrashAnswer::Status(502),
        },
        ..Host::unlimited("host")
    };
    let mut plan = system(host, component("agent", None, service(constant(200.0))), 7);
    plan.edge.host = 1;
    plan.ageing = ageing;
    plan
}

/// Requests at 50/s for a time, and their outcomes.
fn load(network: &mut Network, seconds: f64) -> Vec<Finished> {
    let requests = (seconds * RATE as f64) as u64;
    let mut finished = Vec::new();
    for n in 1..=requests {
        network.arrive(ms(n * 1_000 / RATE), arrival(n));
        finished.extend(network.finished());
    }
    finished.extend(ended(network, Duration::from_secs_f64(seconds + 1.0)));
    finished
}

fn check_crash(ageing: f64) {
    let mut network = network(leaking(ageing));
    // The memory left for the leak, and the leak per second.
    let room_kb = (4_096.0 - 1_200.0) * 1_024.0;
    let slope_kb_per_s = 200.0 * RATE as f64 * ageing;
    let crash_s = room_kb / slope_kb_per_s;
    let finished = load(&mut network, crash_s + 10.0);
    let crashed: Vec<&Finished> = finished
        .iter()
        .filter(|one| one.outcome.error_type() == Some("crashed"))
        .collect();
    let at_s = crashed.first().expect("it crashes").at.as_secs_f64();
    check_near(at_s, crash_s, 0.001, "time of the crash");
    // 200 ms at 50/s were in flight; they ended at once, followed by the requests of a second.
    let at_once = crashed.iter().filter(|one| one.at == crashed[0].at).count();
    assert!((10..=11).contains(&at_once), "{at_once} in flight");
    assert!(
        (58..=61).contains(&crashed.len()),
        "{} crashed",
        crashed.len()
    );
    let refused = finished
        .iter()
        .filter(|one| one.outcome.error_type() == Some("unavailable"));
    assert!(refused.clone().all(|one| one.outcome.status() == Some(503)));
    assert!((448..=452).contains(&refused.count()));
    let good = finished
        .iter()
        .filter(|one| one.outcome.is_success())
        .count();
    let availability = good as f64 / finished.len() as f64;
    // The requests in flight at the crash are lost in addition to those of ten seconds.
    check_near(
        availability,
        crash_s / (crash_s + 10.0),
        0.012,
        "availability",
    );
    let machine = &network.read(network.now()).hosts[1].machines[0];
    assert!(machine.up && machine.restarts == 1);
}

#[test]
fn c_13_a_leak_ends_in_a_crash_at_the_time_that_was_to_be_expected() {
    check_crash(1.0);
}

#[test]
fn c_13_ageing_makes_it_crash_earlier() {
    check_crash(10.0);
}

#[test]
fn c_13_memory_rises_by_what_leaks() {
    let mut network = network(leaking(1.0));
    let used_kb = |network: &mut Network, seconds: f64| {
        load(network, seconds);
        network.read(network.now()).hosts[1].machines[0].memory_used_kb
    };
    let first = used_kb(&mut network, 60.0);
    let mut network = self::network(leaking(1.0));
    let second = used_kb(&mut network, 160.0);
    let slope_mb_per_s = (second - first) / 1_024.0 / 100.0;
    check_near(slope_mb_per_s, 200.0 * RATE as f64 / 1_024.0, 1e-9, "slope");
}

#[test]
fn requests_that_leak_leave_no_event_each() {
    let mut plan = leaking(1.0);
    plan.hosts[1].leak = Some(Leak {
        kb_per_request: 0.01,
        kb_per_s: 0.1,
    });
    let mut network = network(plan);
    load(&mut network, 100.0);
    let pieces = network.pieces();
    assert!(
        pieces <= 40,
        "{pieces} pieces when {} have ended",
        100 * RATE
    );
}

#[test]
fn c_14_garbage_is_a_sawtooth_without_a_trend() {
    for memory_mb in [512.0, 1_024.0, 2_048.0, 4_096.0] {
        let host = Host {
            memory_mb: Some(memory_mb),
            base_mb: 80.0,
            garbage: Some(Garbage {
                collect_at: 0.75,
                pause: ms(30),
            }),
            ..cores(4.0)
        };
        let demand = Demand {
            cpu_ms: constant(2.0),
            service_ms: constant(8.0),
            allocate_kb: constant(2_048.0),
            ..Demand::default()
        };
        let mut network = network(system(host, component("router", Some(16), demand), 7));
        let period_s = (0.75 * memory_mb - 80.0) / (500.0 * 2.0);
        let mut most_mb = [0.0f64; 2];
        for n in 1..=60_000u64 {
            network.arrive(ms(n * 2), arrival(n));
            network.finished().for_each(drop);
            let used_kb = network.read(network.now()).hosts[1].machines[0].memory_used_kb;
            let half = usize::from(n > 30_000);
            most_mb[half] = most_mb[half].max(used_kb / 1_024.0);
        }
        let machine = network.read(network.now()).hosts[1].machines[0].clone();
        let collections = 120.0 / period_s;
        let off = (machine.collections as f64 - collections).abs();
        assert!(
            off <= 0.01 * collections + 1.0,
            "{} of {collections}",
            machine.collections
        );
        let paused_s = machine.collections as f64 * 0.030;
        check_near(machine.paused_s, paused_s, 1e-9, "stopped");
        assert_eq!(most_mb[0], most_mb[1], "no trend");
        assert!(most_mb[0] <= 0.75 * memory_mb && most_mb[0] > 0.7 * memory_mb);
        assert_eq!(machine.restarts, 0);
    }
}
