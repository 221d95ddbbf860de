//! Laws that hold for every run, whatever the system and its load.

mod lab;

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use lab::random::Chance;
use lab::*;
use target_systems::network::{
    ComponentReading, Detail, Effect, Finished, Input, Network, Reading, Socket, Ticket,
};
use target_systems::offline::{differences, recompute};

/// Number of inputs of all random systems together, unless `SPARRING_INPUTS` is set; the full number is a
/// million.
const INPUTS: u64 = 40_000;
/// Inputs of one system.
const EACH: u64 = 500;

/// Seeds of the random systems, from `SPARRING_FIRST_SEED` on.
fn systems(share: u64) -> Range<u64> {
    let asked = |name: &str, otherwise: u64| {
        let text = std::env::var(name).ok();
        text.map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let first = asked("SPARRING_FIRST_SEED", 0);
    first..first + asked("SPARRING_INPUTS", INPUTS) / EACH / share
}

struct Run {
    seed: u64,
    network: Network,
    log: Vec<(Duration, Input)>,
    journal: Vec<Finished>,
    tickets: Vec<Ticket>,
    sockets: Vec<Socket>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let plan = Chance::new(seed).plan(seed);
        let network = Network::new(plan, Detail::Visits)
            .unwrap_or_else(|problems| panic!("seed {seed}: {problems:?}"));
        Self {
            seed,
            network,
            log: Vec::new(),
            journal: Vec::new(),
            tickets: Vec::new(),
            sockets: Vec::new(),
        }
    }

    fn apply(&mut self, at: Duration, input: Input) {
        self.log.push((at, input.clone()));
        match self.network.apply(at, input) {
            Effect::Arrived(ticket) => self.tickets.push(ticket),
            Effect::Opened(Ok(socket)) => self.sockets.push(socket),
            Effect::Opened(Err(_)) | Effect::Changed(Ok(_)) | Effect::Done(_) => {}
            Effect::Changed(Err(refusal)) => panic!("seed {}: {refusal:?}", self.seed),
        }
        self.journal.extend(self.network.finished());
    }

    /// Random inputs; some clients disconnect, and some calls only advance the time.
    fn load(&mut self) -> Duration {
        let mut chance = Chance::new(self.seed ^ 0xFEED);
        let mut now = Duration::ZERO;
        for number in 1..=EACH {
            let (gap, input) = chance.input(number, self.seed);
            now += gap;
            if chance.below(3) == 0 {
                self.network.advance(now);
            }
            self.apply(now, input);
            if chance.below(20) == 0
                && let Some(&ticket) = self.tickets.get(chance.below(number) as usize)
            {
                self.apply(now, Input::Leave(ticket));
            }
            if chance.below(30) == 0
                && let Some(socket) = self.sockets.pop()
            {
                self.apply(now, Input::Close(socket));
            }
            if number % 50 == 0 {
                self.check(now);
            }
        }
        now
    }

    fn check(&mut self, now: Duration) {
        self.network.advance(now);
        self.journal.extend(self.network.finished());
        let reading = self.network.read(now);
        check_flow(&reading, self.seed);
        check_bounds(&reading, self.seed);
    }

    /// Ends everything: no further requests arrive, and clients that wait for ever disconnect.
    fn drain(&mut self, now: Duration) -> Duration {
        let end = now + Duration::from_secs(3_600);
        self.check(end);
        for ticket in self.tickets.clone() {
            self.apply(end, Input::Leave(ticket));
        }
        for socket in std::mem::take(&mut self.sockets) {
            self.apply(end, Input::Close(socket));
        }
        let end = end + Duration::from_secs(3_600);
        self.check(end);
        end
    }
}

fn check_flow(reading: &Reading, seed: u64) {
    let failed: u64 = reading.failed.values().sum();
    assert_eq!(
        reading.arrived,
        reading.succeeded + failed + reading.left + reading.in_flight,
        "seed {seed}: arrivals are departures and requests in flight"
    );
    assert_eq!(
        reading.in_flight_integral,
        reading.residence + reading.residence_in_flight,
        "seed {seed}: Little's law"
    );
    for one in &reading.components {
        assert_eq!(
            one.begun,
            one.completed + one.failed + one.present,
            "seed {seed}: {}",
            one.name
        );
        assert!(one.present_integral >= one.residence, "seed {seed}");
    }
}

fn check_bounds(reading: &Reading, seed: u64) {
    for store in &reading.stores {
        assert!(store.rows <= store.capacity.max(60), "seed {seed}");
        assert!(store.entries <= store.rows, "seed {seed}");
    }
    for pool in &reading.pools {
        assert!(pool.in_use <= pool.size.max(6), "seed {seed}");
    }
    for machine in reading.hosts.iter().flat_map(|host| &host.machines) {
        let levels = [
            machine.memory_used_kb,
            machine.cpu_busy_s,
            machine.disk_busy_s,
            machine.network_busy_s,
        ];
        assert!(
            levels
                .iter()
                .all(|level| level.is_finite() && *level >= 0.0),
            "seed {seed}"
        );
    }
}

fn check_idle(run: &Run, end: Duration) {
    let (seed, reading) = (run.seed, run.network.read(end));
    assert_eq!(reading.in_flight, 0, "seed {seed}");
    assert_eq!(
        reading.background_begun, reading.background_ended,
        "seed {seed}"
    );
    for one in &reading.components {
        let ComponentReading {
            present,
            waiting,
            busy,
            connections,
            ..
        } = one;
        let left = (*present, *waiting, *busy, *connections);
        assert_eq!(left, (0, 0, 0, 0), "seed {seed}: {}", one.name);
        assert_eq!(
            one.present_integral, one.residence,
            "seed {seed}: Little's law"
        );
    }
    for pool in &reading.pools {
        assert_eq!(
            (pool.in_use, pool.waiting),
            (0, 0),
            "seed {seed}: {}",
            pool.name
        );
    }
    for machine in reading.hosts.iter().flat_map(|host| &host.machines) {
        let left =
            machine.in_flight + machine.cpu_jobs + machine.disk_waiting + machine.network_waiting;
        assert_eq!(left, 0, "seed {seed}");
    }
    // Only the events of leaks, scaling and expiry remain, and nothing of requests.
    assert!(
        run.network.pieces() <= 40,
        "seed {seed}: {} pieces",
        run.network.pieces()
    );
}

fn check_journal(run: &Run) {
    let seed = run.seed;
    let ended: HashSet<Ticket> = run.journal.iter().map(|one| one.ticket).collect();
    assert_eq!(
        run.journal.len(),
        run.tickets.len(),
        "seed {seed}: each request ends once"
    );
    assert_eq!(ended, run.tickets.iter().copied().collect(), "seed {seed}");
    // A disk that becomes faster during a request takes less than its planned time.
    let changed = |(_, input): &(Duration, Input)| matches!(input, Input::Change(_));
    if run.log.iter().any(changed) {
        return;
    }
    for one in &run.journal {
        assert!(
            one.planned <= one.elapsed(),
            "seed {seed}: a negative wait in {one:?}"
        );
        let visits = one.visits.iter();
        for visit in visits {
            let sum = visit.queued + visit.cpu + visit.disk + visit.network + visit.service;
            assert!(sum <= one.elapsed(), "seed {seed}: {visit:?} in {one:?}");
        }
    }
}

#[test]
fn random_systems_lose_nothing_and_end_idle() {
    for seed in systems(1) {
        let mut run = Run::new(seed);
        let now = run.load();
        let end = run.drain(now);
        check_idle(&run, end);
        check_journal(&run);
    }
}

#[test]
fn a_log_is_replayed_to_the_nanosecond() {
    for seed in systems(4) {
        let mut run = Run::new(seed);
        let now = run.load();
        let end = run.drain(now);
        let plan = Chance::new(seed).plan(seed);
        let again = recompute(plan, Detail::Visits, run.log.clone(), end).expect("a valid plan");
        let found = differences(&run.journal, &again);
        assert!(found.is_empty(), "seed {seed}: {:?}", &found[..1]);
    }
}

#[test]
fn another_seed_draws_other_demands() {
    let elapsed = |seed| {
        let plan = system(
            cores(1.0),
            component("cpu", None, cpu(exponential(10.0))),
            seed,
        );
        alone(plan).elapsed()
    };
    assert_eq!(elapsed(1), elapsed(1));
    assert_ne!(elapsed(1), elapsed(2));
}

#[test]
fn demands_do_not_depend_on_other_requests() {
    let plan = || {
        let mut plan = system(
            cores(1.0),
            component("cpu", Some(2), cpu(exponential(10.0))),
            3,
        );
        plan.endpoints[0] = endpoint([visit(0, 0), visit(0, 0)]);
        plan
    };
    let planned = |gap: Duration| {
        let mut network = network(plan());
        for n in 1..=2_000u64 {
            network.arrive(gap * n as u32, arrival(n));
        }
        let mut ended = ended(&mut network, Duration::from_secs(100_000));
        ended.sort_by_key(|one| one.ticket);
        let mut planned: Vec<Duration> = ended.iter().map(|one| one.planned).collect();
        planned.sort_unstable();
        planned
    };
    assert_eq!(planned(Duration::from_secs(1)), planned(Duration::ZERO));
}

#[test]
fn busy_time_is_the_sum_of_the_demands() {
    let plan = system(
        cores(1.5),
        component("cpu", Some(16), cpu(exponential(4.0))),
        11,
    );
    let mut network = network(plan);
    for n in 1..=100_000 {
        network.arrive(ms(n * 3), arrival(n));
    }
    let finished = ended(&mut network, Duration::from_secs(100_000));
    let demanded: Duration = finished
        .iter()
        .flat_map(|one| &one.visits)
        .map(|visit| visit.cpu)
        .sum();
    let busy_s = network.read(network.now()).hosts[1].machines[0].cpu_busy_s;
    assert!(
        (busy_s - demanded.as_secs_f64()).abs() <= 1e-9 * busy_s,
        "{busy_s} {demanded:?}"
    );
}

#[test]
fn waiting_requests_are_served_in_order_of_arrival() {
    let plan = system(
        lab::cores(1.0),
        component("one", Some(1), service(exponential(10.0))),
        5,
    );
    let mut network = network(plan);
    let tickets: Vec<Ticket> = (1..=1_000)
        .map(|n| network.arrive(ms(n), arrival(n)))
        .collect();
    let order: Vec<Ticket> = ended(&mut network, Duration::from_secs(1_000))
        .iter()
        .map(|one| one.ticket)
        .collect();
    assert_eq!(order, tickets);
}
