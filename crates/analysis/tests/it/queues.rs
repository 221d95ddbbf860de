//! Closed forms against printed examples, against each other, and against simulation.

use analysis::closed_network::{Kind, Station, machine_repair, mean_value_analysis};
use analysis::laws;
use analysis::queueing::{erlang_b, erlang_c, md1, mm1, mm1_response_quantile, mm1k, mmc};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

#[track_caller]
fn close(what: &str, found: f64, expected: f64, relative: f64) {
    assert!(
        (found - expected).abs() <= relative * expected.abs().max(1e-12),
        "{what}: {found}, not {expected}"
    );
}

#[test]
fn erlangs_tables_are_found() {
    // Erlang B tables: 10 erlang on 10 lines lose 21.5 %, 5 on 10 lose 1.84 %.
    close(
        "B(10, 10)",
        erlang_b(10.0, 10).expect("valid"),
        0.2146,
        1e-3,
    );
    close(
        "B(5, 10)",
        erlang_b(5.0, 10).expect("valid"),
        0.018_38,
        1e-3,
    );
    assert_eq!(erlang_b(3.0, 0), Ok(1.0));
    // One server waits with the probability of being busy.
    close("C(0.7, 1)", erlang_c(0.7, 1).expect("valid"), 0.7, 1e-12);
    // Gross and Harris, "Fundamentals of Queueing Theory", M/M/2 with offered load 1: 1/3.
    close(
        "C(1, 2)",
        erlang_c(1.0, 2).expect("valid"),
        1.0 / 3.0,
        1e-12,
    );
    assert!(erlang_c(2.0, 2).is_err() && erlang_c(0.5, 0).is_err());
}

#[test]
fn an_mm1_queue_at_ninety_percent_takes_ten_times_its_service() {
    let queue = mm1(90.0, 0.01).expect("stable");
    close("R", queue.mean_response_s, 0.1, 1e-12);
    close("N", queue.mean_in_system, 9.0, 1e-12);
    close("W", queue.mean_wait_s, 0.09, 1e-12);
    let p95 = mm1_response_quantile(90.0, 0.01, 0.95).expect("stable");
    close("p95", p95, 0.1 * 20f64.ln(), 1e-12);
    let deterministic = md1(90.0, 0.01).expect("stable");
    close("half the wait", deterministic.mean_wait_s, 0.045, 1e-12);
    assert!(mm1(100.0, 0.01).is_err());
}

#[test]
fn a_queue_with_room_for_many_is_one_without_limit() {
    let limited = mm1k(50.0, 0.01, 200).expect("valid");
    let free = mm1(50.0, 0.01).expect("stable");
    close("R", limited.mean_response_s, free.mean_response_s, 1e-9);
    // Room for one: Erlang's loss with one line.
    let loss = mm1k(150.0, 0.01, 1).expect("valid").loss_probability;
    close("loss", loss, erlang_b(1.5, 1).expect("valid"), 1e-12);
    // Twice the capacity: half is lost, and nothing overflows.
    let flooded = mm1k(200.0, 0.01, 5000).expect("valid");
    close("loss", flooded.loss_probability, 0.5, 1e-9);
    close("X", flooded.throughput_per_s, 100.0, 1e-9);
    // As fast as it is served: all K + 1 states are equally likely.
    let even = mm1k(100.0, 0.01, 9).expect("valid");
    close("loss", even.loss_probability, 0.1, 1e-9);
    close("N", even.mean_in_system, 4.5, 1e-9);
}

#[test]
fn all_queues_keep_littles_and_the_utilisation_law() {
    for queue in [
        mm1(30.0, 0.02).expect("stable"),
        mmc(300.0, 0.012, 4).expect("stable"),
        md1(30.0, 0.02).expect("stable"),
        mm1k(80.0, 0.02, 7).expect("valid"),
    ] {
        let little = laws::little(
            queue.mean_in_system,
            queue.throughput_per_s,
            queue.mean_response_s,
            1e-9,
        );
        assert!(little.expect("valid input").holds, "{queue:?}");
    }
    let queue = mm1k(80.0, 0.02, 7).expect("valid");
    let law = laws::utilisation(queue.utilisation, queue.throughput_per_s, 0.02, 1e-9);
    assert!(law.expect("valid input").holds);
}

#[test]
fn machine_repair_is_the_closed_form() {
    // M/M/c//N by its birth and death equations: p(n) ∝ N!/(N-n)! · r^n / (n! or c! c^(n-c)).
    // The last three are many users of several servers near saturation, where the textbook's recursion for
    // P(0) has lost its digits.
    for (users, servers, think, service) in [
        (1, 1, 1.0, 0.1),
        (10, 1, 1.0, 0.1),
        (20, 3, 1.0, 0.1),
        (50, 4, 1.0, 0.1),
        (7, 9, 1.0, 0.1),
        (750, 8, 5.3216, 0.04),
        (1000, 8, 5.3216, 0.04),
        (1200, 8, 5.3216, 0.04),
    ] {
        let r = service / think;
        let mut weights = vec![1.0];
        for n in 1..=users {
            let busy = n.min(servers);
            let last: f64 = weights[n as usize - 1];
            weights.push(last * f64::from(users - n + 1) * r / f64::from(busy));
        }
        let total: f64 = weights.iter().sum();
        let in_system: f64 = (0u32..).zip(&weights).map(|(n, w)| f64::from(n) * w).sum();
        let throughput = (f64::from(users) - in_system / total) / think;
        let found = machine_repair(users, think, service, servers).expect("valid input");
        let what = format!("{users} users, {servers} servers");
        close(&what, found.throughput_per_s, throughput, 1e-9);
        close(&what, found.queue_lengths[0], in_system / total, 1e-9);
    }
}

#[test]
fn mean_value_analysis_is_buzens_convolution() {
    // Buzen, "Computational algorithms for closed queueing networks with exponential servers" (1973): another
    // way to the same answer. G(n) by stations, the delay's terms being Z^n / n!; X(n) = G(n-1) / G(n).
    let (demands, think) = ([0.605, 2.1, 1.35], 15.0);
    let users = 12;
    let mut g = vec![1.0];
    for n in 1..=users {
        g.push(g[n - 1] * think / n as f64);
    }
    for demand in demands {
        for n in 1..=users {
            g[n] += demand * g[n - 1];
        }
    }
    let stations = demands.map(|demand_s| Station {
        demand_s,
        kind: Kind::Servers(1),
    });
    let found = mean_value_analysis(&stations, think, users as u32).expect("valid input");
    for (n, solution) in (1..).zip(&found) {
        close(
            &format!("X({n})"),
            solution.throughput_per_s,
            g[n - 1] / g[n],
            1e-9,
        );
        let cycle = laws::Cycle {
            response_s: solution.mean_response_s,
            think_s: think,
        };
        let law = laws::interactive_response_time(n as f64, solution.throughput_per_s, cycle, 1e-9);
        assert!(law.expect("valid input").holds, "{n}");
    }
}

#[test]
fn many_users_reach_the_bottlenecks_bound_and_no_more() {
    let stations = [
        Station {
            demand_s: 0.004,
            kind: Kind::Servers(1),
        },
        Station {
            demand_s: 0.040,
            kind: Kind::Servers(4),
        },
        Station {
            demand_s: 0.050,
            kind: Kind::Delay,
        },
    ];
    let found = mean_value_analysis(&stations, 0.5, 500).expect("valid input");
    let throughputs: Vec<f64> = found.iter().map(|s| s.throughput_per_s).collect();
    assert!(
        throughputs
            .windows(2)
            .all(|pair| pair[1] >= pair[0] * (1.0 - 1e-9))
    );
    close("X(500)", throughputs[499], 100.0, 1e-2);
    assert!(throughputs[499] <= 100.0 + 1e-9);
}

/// A queue served in order of arrival: the mean response time over many requests.
fn simulated(servers: usize, service: impl Fn(&mut SmallRng) -> f64, arrivals_per_s: f64) -> f64 {
    let mut rng = SmallRng::seed_from_u64(20_261_129);
    let exponential = |rng: &mut SmallRng| -(-rng.random::<f64>()).ln_1p();
    let mut free = vec![0.0f64; servers];
    let (mut now, mut total) = (0.0, 0.0);
    const REQUESTS: u32 = 400_000;
    for _ in 0..REQUESTS {
        now += exponential(&mut rng) / arrivals_per_s;
        let next = (0..servers)
            .min_by(|a, b| free[*a].total_cmp(&free[*b]))
            .expect("there is a server");
        let done = free[next].max(now) + service(&mut rng);
        free[next] = done;
        total += done - now;
    }
    total / f64::from(REQUESTS)
}

#[test]
fn simulated_queues_are_within_two_percent_of_the_closed_forms() {
    let exponential = |rng: &mut SmallRng| -0.01 * (-rng.random::<f64>()).ln_1p();
    let found = simulated(1, exponential, 70.0);
    close(
        "M/M/1",
        found,
        mm1(70.0, 0.01).expect("stable").mean_response_s,
        0.02,
    );
    let found = simulated(4, exponential, 320.0);
    close(
        "M/M/4",
        found,
        mmc(320.0, 0.01, 4).expect("stable").mean_response_s,
        0.02,
    );
    let found = simulated(1, |_| 0.01, 70.0);
    close(
        "M/D/1",
        found,
        md1(70.0, 0.01).expect("stable").mean_response_s,
        0.02,
    );
}
