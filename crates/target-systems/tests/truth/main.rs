//! The truth, compared with closed forms and with the stated properties of the built-in systems.

mod failures;
mod laboratory;

use serde_json::json;
use target_systems::truth::{Asking, Load, NoTruth, Truth, truth};
use target_systems::{System, systems};

fn shipped(name: &str) -> System {
    let text = systems::text(name).expect("an embedded system");
    System::read(text).unwrap_or_else(|invalid| panic!("{name}: {invalid:#?}"))
}

fn asked(system: &System, mix: &str, load: Load) -> Truth {
    let asking = Asking {
        mix: mix.to_owned(),
        load,
    };
    truth(system, &[asking]).unwrap_or_else(|error| panic!("{mix}: {error}"))
}

fn unknown(system: &System, mix: &str) -> Truth {
    asked(system, mix, Load::Unknown { think_ms: None })
}

/// Capacity and bottleneck of a system with a patch.
fn capacity(name: &str, mix: &str, patch: serde_json::Value) -> (f64, String) {
    let system = shipped(name).patched(&patch).expect("a sound patch");
    let truth = unknown(&system, mix);
    let bottleneck = truth.bottleneck.expect("something runs out");
    let figure = truth.capacity_per_s.expect("a capacity");
    (
        figure.value,
        format!(
            "{} {} {}",
            bottleneck.of, bottleneck.resource, bottleneck.class
        ),
    )
}

fn close(found: f64, expected: f64, share: f64, what: &str) {
    assert!(
        (found - expected).abs() <= share * expected.abs() + 1e-12,
        "{what}: {found} is not {expected}"
    );
}

#[test]
fn memory_grows_and_is_collected_as_the_file_says() {
    // C-13, also with an ageing of 10; on average only 0.3 requests are in flight.
    for ageing in [1.0, 10.0] {
        let lab = shipped("lab")
            .patched(&json!({ "ageing": ageing }))
            .expect("sound");
        let truth = asked(&lab, "leak", Load::Rate { per_s: 50.0 });
        let memory = truth
            .memory
            .iter()
            .find(|one| one.host == "leak")
            .expect("it leaks");
        let slope = memory.leak_mb_per_s.expect("a slope");
        close(slope.value, 200.0 * 50.0 / 1_024.0 * ageing, 1e-9, "slope");
        assert!(slope.exact);
        close(
            memory.time_to_limit_s.expect("an end").value,
            296.6 / ageing,
            1e-3,
            "time to limit",
        );
    }
    // C-14
    for (limit, period, stopped) in [
        (512, 0.304, 0.099),
        (1024, 0.688, 0.044),
        (2048, 1.456, 0.021),
        (4096, 2.992, 0.010),
    ] {
        let patch = json!({ "components": { "garbage": { "host": { "memory_mb": limit } } } });
        let system = shipped("lab").patched(&patch).expect("sound");
        let truth = asked(&system, "garbage", Load::Rate { per_s: 500.0 });
        let memory = truth
            .memory
            .iter()
            .find(|one| one.host == "garbage")
            .expect("it is collected");
        close(
            memory.collection_period_s.expect("a period").value,
            period,
            1e-3,
            "period",
        );
        close(
            memory.stopped_share.expect("a share").value,
            stopped,
            0.03,
            "stopped",
        );
    }
}

/// The capacity is that of the processor, but at any load the instances are close to a crash.
#[test]
fn memory_that_is_short_is_the_bottleneck() {
    let patch = json!({ "hosts": { "agents": { "memory_mb": 4096 } } });
    let (found, of) = capacity("acso", "mixed", patch);
    close(found, 200.0, 0.006, "the capacity");
    assert_eq!(of, "agents memory memory");
}

#[test]
fn capacities_and_bottlenecks_of_the_systems_are_those_of_their_files() {
    let plain = json!({});
    for (name, mix, patch, expected, bottleneck) in [
        ("acso", "mixed", plain.clone(), 200.0, "agents cpu CPU"),
        (
            "aiaas",
            "aiaas_user",
            plain.clone(),
            5_580.0,
            "agents cpu CPU",
        ),
        (
            "acis",
            "api_user",
            plain.clone(),
            226.0,
            "model slots application",
        ),
        (
            "agent360",
            "basic",
            plain.clone(),
            333.0,
            "agent360 cpu CPU",
        ),
        (
            "agent360",
            "workflow",
            plain.clone(),
            174.0 * 5.0,
            "agent360 cpu CPU",
        ),
        (
            "agent360",
            "stress",
            plain.clone(),
            80.0,
            "agent360 cpu CPU",
        ),
        // ACSO-24, 26, 38: one limit after the other.
        (
            "acso",
            "mixed",
            json!({ "hosts": { "agents": { "cpu_cores": 1 } } }),
            50.0,
            "agents cpu CPU",
        ),
        (
            "acso",
            "mixed",
            json!({ "hosts": { "agents": { "instances": 1 } } }),
            100.0,
            "agents cpu CPU",
        ),
        (
            "acso",
            "mixed",
            json!({ "hosts": { "bus": { "network_mbit_per_s": 20 } } }),
            173.0,
            "bus network network",
        ),
        (
            "acso",
            "mixed",
            json!({ "hosts": { "bus": { "network_mbit_per_s": 20 } }, "toggles": { "bus_compression": { "on": false } } }),
            61.0,
            "bus network network",
        ),
        (
            "acso",
            "mixed",
            json!({ "hosts": { "store": { "disk_iops": 100 } } }),
            100.0,
            "store disk I/O",
        ),
        (
            "acso",
            "mixed",
            json!({ "hosts": { "store": { "disk_iops": 100 } }, "toggles": { "workflow_batching": { "on": false } } }),
            25.0,
            "store disk I/O",
        ),
        (
            "acso",
            "mixed",
            json!({ "toggles": { "agent_caching": { "on": true } } }),
            219.0,
            "agents cpu CPU",
        ),
        // AIA-33: the router alone.
        (
            "aiaas",
            "route",
            json!({ "hosts": { "router": { "instances": 1 } } }),
            1_315.0,
            "router slots application",
        ),
    ] {
        let (found, of) = capacity(name, mix, patch.clone());
        close(found, expected, 0.006, &format!("{name} {mix} {patch}"));
        assert_eq!(of, bottleneck, "{name} {mix} {patch}");
    }
}

#[test]
fn routers_scale_by_their_law_and_memory_bounds_what_is_in_flight() {
    // AIA-38: router instances 1, 2, 4, 8 with the efficiency of the scalability law.
    let per_instance = |instances: u32| {
        let patch = json!({ "hosts": { "router": { "instances": instances } } });
        let truth = unknown(&shipped("aiaas").patched(&patch).expect("sound"), "route");
        let slots =
            |one: &&target_systems::truth::Resource| one.of == "router" && one.resource == "slots";
        let router = truth.resources.iter().find(slots).expect("the router");
        router.capacity_per_s.value / f64::from(instances)
    };
    let alone = per_instance(1);
    for (instances, efficiency) in [(2, 0.979), (4, 0.938), (8, 0.856)] {
        close(
            per_instance(instances) / alone,
            efficiency,
            0.001,
            "efficiency",
        );
    }
    // Memory: 4 096 MB leave room for 198 requests in flight on each agent host.
    let patch = json!({ "hosts": { "agents": { "memory_mb": 4096 } } });
    let truth = unknown(&shipped("acso").patched(&patch).expect("sound"), "mixed");
    let agents = truth
        .memory
        .iter()
        .find(|one| one.host == "agents")
        .expect("agents");
    close(
        agents.in_flight_limit.expect("a limit").value,
        198.0,
        1e-9,
        "in flight",
    );
}

/// A row of the table of what truth expects: users, throughput, response in s, utilisation.
type Row = (u32, f64, f64, f64);

fn check_rows(name: &str, mix: &str, think_ms: f64, rows: &[Row]) {
    let system = shipped(name);
    for &(users, throughput, response_s, utilisation) in rows {
        let what = format!("{name} {mix} {users}");
        let truth = asked(&system, mix, Load::Users { users, think_ms });
        let load = truth.load.expect("a load");
        // The table's own rounding: whole requests, hundredths of a second, whole percents.
        close(
            load.throughput_per_s.value,
            throughput,
            0.5 / throughput + 0.01,
            &what,
        );
        let found_s = load.response_ms.expect("steady").value / 1_000.0;
        assert!(
            (found_s - response_s).abs() <= 0.011 + 0.02 * response_s,
            "{what}: {found_s} s is not {response_s} s"
        );
        let found = truth.resources[0].utilisation.expect("a load").value;
        assert!(
            (found - utilisation).abs() <= 0.012,
            "{what}: {found} is not {utilisation}"
        );
    }
}

#[test]
fn users_of_the_systems_get_what_the_table_of_truth_says() {
    check_rows(
        "acso",
        "mixed",
        5_000.0,
        &[
            (100, 19.0, 0.37, 0.09),
            (500, 93.0, 0.37, 0.46),
            (915, 170.0, 0.39, 0.85),
            (1_200, 200.0, 1.0, 1.0),
            (2_000, 200.0, 4.5, 1.0),
            (2_500, 200.0, 4.5, 1.0),
        ],
    );
    check_rows(
        "acis",
        "api_user",
        600.0,
        &[
            (50, 60.0, 0.23, 0.27),
            (100, 120.0, 0.23, 0.53),
            (200, 224.0, 0.29, 0.99),
        ],
    );
    check_rows(
        "agent360",
        "basic",
        2_000.0,
        &[
            (50, 22.0, 0.31, 0.07),
            (200, 87.0, 0.31, 0.26),
            (500, 216.0, 0.31, 0.65),
        ],
    );
    check_rows(
        "agent360",
        "stress",
        300.0,
        &[
            (50, 67.0, 0.44, 0.84),
            (200, 80.0, 2.2, 1.0),
            (500, 80.0, 5.95, 1.0),
        ],
    );
}

#[test]
fn knees_and_refusals_of_the_systems_are_those_of_their_files() {
    for (name, mix, think_ms, knee) in [
        ("acso", "mixed", 5_000.0, 1_075.0),
        ("acis", "api_user", 600.0, 188.0),
    ] {
        let truth = asked(
            &shipped(name),
            mix,
            Load::Unknown {
                think_ms: Some(think_ms),
            },
        );
        close(
            truth.classes[0].knee_users.expect("a knee").value,
            knee,
            0.005,
            name,
        );
    }
    let acso = shipped("acso");
    let refused = |users| {
        let load = asked(
            &acso,
            "mixed",
            Load::Users {
                users,
                think_ms: 5_000.0,
            },
        )
        .load;
        load.expect("a load").refused_share.value
    };
    assert!(refused(1_890) < 0.001, "errors begin at 1 900 users");
    close(refused(2_000), 0.09, 0.02, "refused at 2 000");
    close(refused(2_500), 0.375, 0.01, "refused at 2 500");
}

#[test]
fn users_who_find_a_queue_full_fail_and_think_again() {
    let users = Load::Users {
        users: 400,
        think_ms: 600.0,
    };
    let truth = asked(&shipped("acis"), "api_user", users);
    let load = truth.load.expect("a load");
    let answered = load.throughput_per_s.value;
    let refused = load.refused_share.value;
    // The table's 296/s and 13 %, which takes requests that are not predictions for a little slower than
    // they are.
    close(answered, 296.0, 0.025, "answers");
    assert!((refused - 0.13).abs() < 0.015, "refused {refused}");
    // All lists and trades are answered, and as many predictions as 32 slots can process.
    let begun = answered / (1.0 - refused);
    let slots =
        |one: &&target_systems::truth::Resource| one.of == "model" && one.resource == "slots";
    let model = truth.resources.iter().find(slots).expect("the slots");
    let predicted_per_s = 32.0 / (model.demand_ms.value / 0.4) * 1_000.0;
    close(
        answered,
        0.6 * begun + predicted_per_s,
        1e-6,
        "answers by kind",
    );
    assert_eq!(model.utilisation.expect("a load").value, 1.0);
    // 32 slots and a queue of 128 are full except for 1/(rho − 1) places: M/M/c/K far above its capacity.
    let rho = 0.4 * begun / predicted_per_s;
    let inside = 160.0 - 1.0 / (rho - 1.0);
    let prediction_s = inside / predicted_per_s;
    assert!((prediction_s - 1.8).abs() < 0.06, "{prediction_s} s");
    let others = load.in_flight.expect("a mean").value - inside;
    let other_s = others / (0.6 * begun);
    assert!((0.10..0.18).contains(&other_s), "{other_s} s elsewhere");
    // Rejected predictions take no CPU of the model server: 20 ms of those that are served.
    let cpu = |one: &&target_systems::truth::Resource| one.of == "model" && one.resource == "cpu";
    let cpu = truth.resources.iter().find(cpu).expect("its CPU");
    let used = cpu.utilisation.expect("a load").value;
    close(
        used,
        predicted_per_s * 0.020 / 8.0,
        1e-3,
        "CPU of the model server",
    );
    let fewer = asked(
        &shipped("acis"),
        "api_user",
        Load::Users {
            users: 200,
            think_ms: 600.0,
        },
    );
    assert_eq!(fewer.load.expect("a load").refused_share.value, 0.0);
}

#[test]
fn two_classes_of_users_share_the_platform() {
    let system = shipped("aiaas");
    for (users, throughput, chat_ms, utilisation) in [
        (100, 142.0, 124.0, 0.05),
        (1_000, 1_419.0, 125.0, 0.55),
        (2_000, 2_607.0, 169.0, 1.0),
    ] {
        let class = |mix: &str, think_ms| Asking {
            mix: mix.to_owned(),
            load: Load::Users {
                users: users / 2,
                think_ms,
            },
        };
        let truth = truth(
            &system,
            &[class("aiaas_user", 2_000.0), class("high_load_user", 300.0)],
        )
        .expect("two classes");
        let load = truth.load.expect("a load");
        close(load.throughput_per_s.value, throughput, 0.01, "throughput");
        let chat = load.classes[1].response_ms.expect("steady").value;
        close(chat, chat_ms, 0.04, "chat");
        assert!(
            (truth.resources[0].utilisation.expect("a load").value - utilisation).abs() <= 0.006
        );
    }
    for (per_s, used, iops) in [
        (1_000.0, 0.18, 767.0),
        (2_000.0, 0.36, 1_533.0),
        (5_000.0, 0.90, 3_833.0),
    ] {
        let truth = asked(&system, "aiaas_user", Load::Rate { per_s });
        let busiest = truth.resources[0].utilisation.expect("a load").value;
        assert!((busiest - used).abs() <= 0.005, "{busiest}");
        let disk = truth
            .resources
            .iter()
            .find(|one| one.resource == "disk")
            .expect("a disk");
        close(
            disk.utilisation.expect("a load").value * 8_000.0,
            iops,
            0.002,
            "IOPS",
        );
        let p95 = truth.classes[0].response.p95_ms.value;
        close(p95, 247.0, 0.03, "p95 without queueing");
        let p50 = truth.classes[0].response.p50_ms.value;
        close(p50, 5.0, 0.2, "p50 without queueing");
    }
    let chat = unknown(&system, "chat").classes[0].response.clone();
    close(chat.p50_ms.value, 83.0, 0.03, "chat p50");
    close(chat.p95_ms.value, 359.0, 0.03, "chat p95");
    close(chat.p99_ms.value, 568.0, 0.04, "chat p99");
}

#[test]
fn toggles_have_the_effects_that_they_promise() {
    let off = |name: &str, toggle: &str| {
        shipped(name)
            .patched(&json!({ "toggles": { toggle: { "on": false } } }))
            .expect("sound")
    };
    // 64 connections for an operation of 0.36 s.
    let pooled = unknown(&off("acso", "agent_pooling"), "mixed");
    let found = pooled.bottleneck.expect("a pool");
    assert_eq!((found.of.as_str(), found.resource), ("agents", "pool"));
    close(
        pooled.capacity_per_s.expect("a pool").value,
        173.0,
        0.06,
        "64 connections",
    );
    let cold = unknown(&off("agent360", "cache_warm"), "basic");
    let ratio = cold.caches[0].hit_ratio.value;
    assert!((0.15..=0.2 + 1e-9).contains(&ratio), "{ratio}");
    let rows = |system: &System| {
        let truth = unknown(system, "clients");
        truth
            .resources
            .iter()
            .find(|one| one.of == "postgres" && one.resource == "cpu")
            .expect("a database")
            .demand_ms
            .value
    };
    close(
        rows(&shipped("acis")),
        2.0 + 0.05 * 1_000f64.log2(),
        1e-9,
        "an index",
    );
    close(rows(&off("acis", "indexes")), 2.0 + 20.0, 1e-9, "no index");
    close(
        rows(&off("acis", "join_queries")),
        20.0 * (2.0 + 0.05 * 1_000f64.log2()),
        1e-9,
        "20 queries",
    );
}

#[test]
fn meaningless_queries_are_rejected() {
    let lab = shipped("lab");
    let ask = |mix: &str, load| {
        truth(
            &lab,
            &[Asking {
                mix: mix.to_owned(),
                load,
            }],
        )
        .expect_err("refused")
    };
    let message = ask("mm2", Load::Rate { per_s: 1.0 }).to_string();
    assert!(
        message.contains("unknown mix or endpoint `mm2`") && message.contains("mm1"),
        "{message}"
    );
    for load in [
        Load::Rate { per_s: 0.0 },
        Load::Rate { per_s: f64::NAN },
        Load::Users {
            users: 0,
            think_ms: 1.0,
        },
        Load::Users {
            users: 1,
            think_ms: -1.0,
        },
    ] {
        assert!(matches!(ask("mm1", load), NoTruth::Number(_)), "{load:?}");
    }
    assert_eq!(truth(&lab, &[]), Err(NoTruth::NoMix));
    let over = asked(&lab, "mm1", Load::Rate { per_s: 120.0 })
        .load
        .expect("a load");
    assert_eq!(over.response_ms, None);
    close(over.throughput_per_s.value, 100.0, 1e-9, "capacity");
}
