//! The single stations of the lab against closed forms.

use super::*;

#[test]
fn open_stations_of_the_lab_have_their_closed_forms() {
    let lab = shipped("lab");
    // (endpoint, rate, mean of the response in ms): M/M/1, M/D/1, M/M/4 by Erlang's C, shared cores.
    let erlang_c = |servers: u32, load: f64| {
        let terms: Vec<f64> = (0..=servers)
            .scan(1.0, |term, n| {
                let now = *term;
                *term *= load / f64::from(n + 1);
                Some(now)
            })
            .collect();
        let rho = load / f64::from(servers);
        let last = terms[servers as usize] / (1.0 - rho);
        last / (terms[..servers as usize].iter().sum::<f64>() + last)
    };
    let mut cases = Vec::new();
    for rate in [50.0, 80.0, 90.0] {
        let rho = rate / 100.0;
        cases.push(("mm1", rate, 10.0 / (1.0 - rho)));
        cases.push(("cpu1", rate, 10.0 / (1.0 - rho)));
        cases.push(("md1", rate, 10.0 + 10.0 * rho / (2.0 * (1.0 - rho))));
    }
    for rate in [200.0, 320.0, 360.0] {
        let load: f64 = rate / 100.0;
        let mean = 10.0 + erlang_c(4, load) * 10.0 / (4.0 - load);
        cases.push(("mm4", rate, mean));
        cases.push(("cpu4", rate, mean));
        cases.push(("shared4", rate, mean));
    }
    for (endpoint, per_s, mean_ms) in cases {
        let load = asked(&lab, endpoint, Load::Rate { per_s })
            .load
            .expect("a load");
        let response = load.response_ms.expect("a steady state");
        close(response.value, mean_ms, 1e-6, endpoint);
        assert!(response.exact, "{endpoint} has a closed form");
    }
    // C-05: half a core, and a core.
    for (cores, mean_ms, used) in [(0.5, 40.0, 0.5), (1.0, 40.0 / 3.0, 0.25)] {
        let patch = json!({ "components": { "cpu1": { "host": { "cpu_cores": cores } } } });
        let system = lab.patched(&patch).expect("sound");
        let truth = asked(&system, "cpu1", Load::Rate { per_s: 25.0 });
        let response = truth.load.expect("a load").response_ms.expect("steady");
        close(response.value, mean_ms, 1e-6, "a slow core");
        let found = truth.resources[0].utilisation.expect("a load").value;
        close(found, used, 1e-9, "utilisation");
    }
}

#[test]
fn losses_of_the_lab_have_their_closed_forms() {
    let lab = shipped("lab");
    let erlang_b = |servers: u32, load: f64| {
        (1..=servers).fold(1.0, |lost, n| load * lost / (f64::from(n) + load * lost))
    };
    let finite = |rho: f64| (1.0 - rho) * rho.powi(10) / (1.0 - rho.powi(11));
    for (endpoint, per_s, lost) in [
        ("loss4", 320.0, erlang_b(4, 3.2)),
        ("loss4", 200.0, erlang_b(4, 2.0)),
        ("mm1k", 80.0, finite(0.8)),
        ("mm1k", 125.0, finite(1.25)),
        ("mm1k", 200.0, finite(2.0)),
    ] {
        let load = asked(&lab, endpoint, Load::Rate { per_s })
            .load
            .expect("a load");
        close(load.refused_share.value, lost, 1e-6, endpoint);
        assert!(load.refused_share.exact, "{endpoint}");
    }
}

#[test]
fn processor_and_disk_behind_each_other_are_told_as_they_are() {
    // C-09
    let truth = asked(&shipped("lab"), "demand", Load::Rate { per_s: 50.0 });
    let used: Vec<(String, f64)> = truth
        .resources
        .iter()
        .map(|one| {
            (
                one.resource.to_owned(),
                one.utilisation.expect("a load").value,
            )
        })
        .collect();
    assert_eq!(used.len(), 2, "{used:?}");
    assert_eq!((used[0].0.as_str(), used[1].0.as_str()), ("disk", "cpu"));
    close(used[0].1, 0.50, 1e-9, "disk");
    close(used[1].1, 0.20, 1e-9, "cpu");
    let load = truth.load.expect("a load");
    let response = load.response_ms.expect("steady");
    close(response.value, 4.0 / 0.8 + 15.0, 1e-6, "response");
    assert!(response.exact);
    let capacity = truth.capacity_per_s.expect("a disk");
    close(capacity.value, 100.0, 1e-9, "capacity");
    assert!(capacity.exact);
    assert_eq!(truth.bottleneck.expect("a disk").class, "I/O");
}

#[test]
fn users_of_the_lab_get_what_mean_value_analysis_says() {
    // C-06: one core of 50 ms and a second of thinking.
    let lab = shipped("lab");
    let patch = json!({ "components": { "cpu1": { "operations": { "run": { "cpu_ms": { "exponential": { "mean_ms": 50 } } } } } } });
    let system = lab.patched(&patch).expect("sound");
    for users in [1u32, 5, 10, 20, 30, 40, 60] {
        let mut inside = 0.0;
        let mut throughput = 0.0;
        for n in 1..=users {
            let response_ms = 50.0 * (1.0 + inside);
            throughput = f64::from(n) / (1_000.0 + response_ms);
            inside = throughput * response_ms;
        }
        let load = asked(
            &system,
            "cpu1",
            Load::Users {
                users,
                think_ms: 1_000.0,
            },
        )
        .load
        .expect("a load");
        close(
            load.throughput_per_s.value,
            throughput * 1_000.0,
            1e-9,
            "throughput",
        );
        close(
            load.response_ms.expect("steady").value,
            inside / throughput,
            1e-6,
            "response",
        );
        assert!(load.throughput_per_s.exact);
    }
    // C-07: the scalability law.
    for users in [1u32, 2, 4, 8, 16, 32, 64, 128] {
        let n = f64::from(users);
        let law = 100.0 * n / (1.0 + 0.05 * (n - 1.0) + 0.001 * n * (n - 1.0));
        let load = asked(
            &lab,
            "usl",
            Load::Users {
                users,
                think_ms: 0.0,
            },
        )
        .load
        .expect("a load");
        close(load.throughput_per_s.value, law, 1e-9, "scalability law");
        assert!(load.throughput_per_s.exact);
    }
}

#[test]
fn caches_buses_links_and_rows_of_the_lab_have_their_closed_forms() {
    let lab = shipped("lab");
    // C-12
    let hit = |endpoint: &str, per_s: f64| {
        let truth = asked(&lab, endpoint, Load::Rate { per_s });
        assert!(truth.caches[0].hit_ratio.exact, "{endpoint}");
        truth.caches[0].hit_ratio.value
    };
    close(hit("cache", 21.0), 0.5, 1e-12, "by capacity");
    close(
        hit("cache_ttl", 21.0),
        6_300.0 / 6_800.0,
        1e-9,
        "by lifetime",
    );
    // C-15
    close(
        unknown(&lab, "bus").capacity_per_s.expect("slots").value,
        8.0 / (0.1 + 2.0 / 16.0) * 1_000.0,
        1e-9,
        "batches",
    );
    close(
        unknown(&lab, "single").capacity_per_s.expect("slots").value,
        8.0 / 2.1 * 1_000.0,
        1e-9,
        "single messages",
    );
    // C-16
    let link = unknown(&lab, "link").capacity_per_s.expect("a link");
    close(
        link.value,
        40e6 / (5.15 * 8_000.0 * 8.0 * 0.35),
        1e-9,
        "compressed",
    );
    assert!(link.exact);
    let off = lab
        .patched(&json!({ "toggles": { "link_compression": { "on": false } } }))
        .expect("sound");
    close(
        unknown(&off, "link").capacity_per_s.expect("a link").value,
        40e6 / (5.15 * 64_000.0),
        1e-9,
        "uncompressed",
    );
    // C-17
    let response = |system: &System, endpoint: &str| {
        unknown(system, endpoint).classes[0].response.mean_ms.value
    };
    close(response(&lab, "parallel"), 250.0, 1e-9, "at once");
    close(
        response(&lab, "single"),
        0.0,
        1e-9,
        "a message that nobody waits for",
    );
    let off = lab
        .patched(
            &json!({ "toggles": { "parallel": { "on": false }, "publish_wait": { "on": true } } }),
        )
        .expect("sound");
    close(response(&off, "parallel"), 430.0, 1e-9, "in turn");
    close(
        response(&off, "single"),
        2.1,
        1e-9,
        "a message that is waited for",
    );
    // C-18
    for rows in [1_000u32, 1_000_000] {
        let system = lab
            .patched(&json!({ "stores": { "rows": { "populate": rows } } }))
            .expect("sound");
        close(
            response(&system, "rows"),
            0.05 * f64::from(rows).log2(),
            1e-9,
            "an index",
        );
        close(
            response(&system, "scan"),
            0.02 * f64::from(rows),
            1e-9,
            "no index",
        );
    }
}
