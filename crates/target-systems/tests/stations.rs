//! Stations against their closed forms: checks C-01 to C-12 and C-15 to C-18 of the design that
//! say `sim`.

mod lab;

use lab::forms::*;
use lab::*;
use target_systems::plan::{Amount, Balance, Component, Demand, Host, Queue, Usl};

/// Number of requests of a run that measures a mean; ten times as many if `SPARRING_FULL` is set. Near
/// saturation means converge slowly, which the standard error accounts for.
const REQUESTS: u64 = 100_000;

fn many() -> u64 {
    match std::env::var_os("SPARRING_FULL") {
        Some(_) => 10 * REQUESTS,
        None => REQUESTS,
    }
}

/// Number of requests of a run that measures shares and percentiles, whose errors batch means do not show.
const LONG: u64 = 1_000_000;

const S: f64 = 0.010;

fn single(slots: usize, amount: Option<Amount>) -> Component {
    component("station", Some(slots), service(amount))
}

fn plain(component: Component) -> target_systems::plan::Plan {
    system(Host::unlimited("host"), component, 7)
}

#[test]
fn c_01_one_server_with_exponential_service_is_m_m_1() {
    for rate in [50.0, 80.0, 90.0] {
        let report = run(plain(single(1, exponential(10.0))), open(rate), LONG);
        let mean_s = S / (1.0 - rate * S);
        check_mean(&report, mean_s * 1e3, 0.03, &format!("rate {rate}"));
        // The time in M/M/1 is exponential.
        let p95_ms = mean_s * 1e3 * 20.0f64.ln();
        check_near(report.p95_ms, p95_ms, 0.04, &format!("p95 at rate {rate}"));
        check_near(report.wait_share, rate * S, 0.02, "share that waits");
    }
}

#[test]
fn c_02_one_server_with_constant_service_is_m_d_1() {
    for rate in [50.0, 80.0, 90.0] {
        let report = run(plain(single(1, constant(10.0))), open(rate), many());
        let expected_ms = md1_mean_s(rate, S) * 1e3;
        check_mean(&report, expected_ms, 0.02, &format!("rate {rate}"));
    }
}

#[test]
fn c_03_four_servers_with_one_queue_are_m_m_4() {
    for rate in [200.0, 320.0, 360.0] {
        let report = run(plain(single(4, exponential(10.0))), open(rate), LONG);
        let what = format!("rate {rate}");
        check_mean(&report, mmc_mean_s(4, rate, S) * 1e3, 0.03, &what);
        check_near(report.wait_share, erlang_c(4, rate * S), 0.02, &what);
    }
}

#[test]
fn c_04_a_shared_processor_asks_only_for_the_mean_of_its_demands() {
    for (name, amount) in [
        ("constant", constant(10.0)),
        ("exponential", exponential(10.0)),
        ("log-normal", log_normal(10.0)),
    ] {
        let component = component("cpu4", None, cpu(amount));
        let report = run(system(cores(4.0), component, 7), open(320.0), many());
        check_mean(&report, mmc_mean_s(4, 320.0, S) * 1e3, 0.03, name);
        check_near(utilisation(&report, "cpu"), 0.8, 0.01, name);
    }
}

#[test]
fn c_05_half_a_core_takes_twice_the_time() {
    for (count, expected_ms, used) in [(0.5, 40.0, 0.5), (1.0, 1e3 * S / 0.75, 0.25)] {
        let component = component("cpu1", None, cpu(exponential(10.0)));
        let report = run(system(cores(count), component, 7), open(25.0), many() / 2);
        check_mean(&report, expected_ms, 0.03, &format!("{count} cores"));
        check_near(utilisation(&report, "cpu"), used, 0.01, "cpu");
    }
}

#[test]
fn c_06_closed_load_obeys_mean_value_analysis() {
    for users in [1, 5, 10, 20, 30, 40, 60] {
        let component = component("cpu", None, cpu(exponential(50.0)));
        let plan = system(cores(1.0), component, 7);
        let report = run(plan, closed(users, exponential(1_000.0)), 200_000);
        let (throughput, response_s) = mva(users, 0.050, 1.0);
        let what = format!("{users} users");
        check_near(report.throughput_per_s, throughput, 0.02, &what);
        check_near(report.mean_ms, response_s * 1e3, 0.02, &what);
    }
}

#[test]
fn c_07_contention_and_coherency_slow_visits_by_the_universal_scalability_law() {
    let law = Usl {
        sigma: 0.05,
        kappa: 0.001,
    };
    for (users, amount) in [1u32, 2, 4, 8, 16, 32, 64, 128]
        .into_iter()
        .flat_map(|users| [(users, exponential(10.0)), (users, constant(10.0))])
    {
        let component = Component {
            usl_concurrency: Some(law),
            ..component("usl", None, service(amount))
        };
        let report = run(plain(component), closed(users, None), 200_000);
        let expected = usl(f64::from(users), 1.0 / S, law.sigma, law.kappa);
        let what = format!("{users} users");
        check_near(report.throughput_per_s, expected, 0.01, &what);
    }
}

#[test]
fn c_07_capacity_in_instances_is_the_universal_scalability_law() {
    let law = Usl {
        sigma: 0.02,
        kappa: 0.0005,
    };
    for instances in [1usize, 2, 4, 8] {
        let host = Host {
            instances,
            usl_instances: Some(law),
            ..cores(1.0)
        };
        // Each instance has enough users to be busy all the time.
        let component = component("router", None, cpu(constant(10.0)));
        let users = 20 * instances as u32;
        let report = run(system(host, component, 7), closed(users, None), 100_000);
        let expected = usl(instances as f64, 1.0 / S, law.sigma, law.kappa);
        check_near(
            report.throughput_per_s,
            expected,
            0.005,
            &format!("{instances} instances"),
        );
        check_near(utilisation(&report, "cpu"), 1.0, 0.005, "cpu");
    }
}

#[test]
fn c_08_balance_decides_how_four_instances_share_a_stream() {
    let mean_of = |balance| {
        let host = Host {
            instances: 4,
            ..Host::unlimited("host")
        };
        let component = Component {
            balance,
            ..single(1, exponential(10.0))
        };
        run(system(host, component, 7), open(320.0), many())
    };
    let random = mean_of(Balance::Random);
    check_mean(&random, 1e3 * S / 0.2, 0.03, "random: four times M/M/1");
    let shared = mean_of(Balance::SharedQueue);
    check_mean(
        &shared,
        mmc_mean_s(4, 320.0, S) * 1e3,
        0.03,
        "shared: M/M/4",
    );
    let round_robin = mean_of(Balance::RoundRobin);
    assert!(round_robin.mean_ms < random.mean_ms && round_robin.mean_ms > shared.mean_ms);
    let least = mean_of(Balance::LeastInFlight);
    assert!(least.mean_ms < round_robin.mean_ms && least.mean_ms > shared.mean_ms);
}

#[test]
fn c_08_round_robin_sends_equal_shares() {
    let host = Host {
        instances: 4,
        ..Host::unlimited("host")
    };
    let plan = system(host, single(1, exponential(10.0)), 7);
    let mut network = network(plan);
    for n in 1..=1_001 {
        network.arrive(ms(n * 3), arrival(n));
    }
    let sent = &network.read(network.now()).components[0].sent;
    let (least, most) = (sent.iter().min(), sent.iter().max());
    assert_eq!(sent.iter().sum::<u64>(), 1_001);
    assert!(
        most.zip(least)
            .is_some_and(|(most, least)| most - least <= 1),
        "{sent:?}"
    );
}

#[test]
fn c_09_use_is_throughput_times_demand() {
    let host = Host {
        cpu_cores: Some(1.0),
        disk_iops: Some(100.0),
        ..Host::unlimited("host")
    };
    let demand = Demand {
        cpu_ms: exponential(4.0),
        disk_ops: constant(1.0),
        ..Demand::default()
    };
    let plan = system(host, component("demand", None, demand), 7);
    let report = run(plan, open(50.0), many() / 2);
    check_near(utilisation(&report, "cpu"), 0.20, 0.01, "cpu");
    check_near(utilisation(&report, "disk"), 0.50, 0.01, "disk");
    // CPU: M/M/1 in mean. The departures of a shared processor are not a Poisson process unless demands are
    // exponential; here they are (Burke), so the disk is M/D/1.
    let expected_ms = 4.0 / (1.0 - 0.2) + md1_mean_s(50.0, S) * 1e3;
    check_mean(&report, expected_ms, 0.03, "mean");
}

#[test]
fn c_10_slots_without_a_queue_lose_by_erlang_b() {
    for amount in [exponential(10.0), constant(10.0)] {
        for erlangs in [3.2, 2.0] {
            let mut component = single(4, amount.clone());
            component.queue.capacity = 0;
            let report = run(plain(component), open(erlangs / S), LONG);
            let lost = report.rejected as f64 / report.requests as f64;
            check_near(
                lost,
                erlang_b(4, erlangs),
                0.01,
                &format!("{erlangs} erlangs"),
            );
            let full = report.errors.get("queue_full").copied().unwrap_or(0);
            assert_eq!(full, report.rejected, "every rejection has its cause");
        }
    }
}

#[test]
fn c_11_a_bounded_queue_loses_as_m_m_1_k() {
    for rho in [0.8, 1.25, 2.0] {
        let component = Component {
            queue: Queue {
                capacity: 9,
                ..Queue::default()
            },
            ..single(1, exponential(10.0))
        };
        let report = run(plain(component), open(rho / S), LONG);
        let lost = report.rejected as f64 / report.requests as f64;
        check_near(lost, mm1k_loss(10, rho), 0.02, &format!("rho {rho}"));
    }
}
