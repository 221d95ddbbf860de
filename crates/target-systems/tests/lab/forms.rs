//! Closed forms of queueing theory, computed here and not copied.

/// Erlang B: the share that `c` servers without a queue reject at `a` erlangs.
pub fn erlang_b(c: u32, a: f64) -> f64 {
    (1..=c).fold(1.0, |b, n| a * b / (f64::from(n) + a * b))
}

/// Erlang C: the share that waits for one of `c` servers at `a` erlangs.
pub fn erlang_c(c: u32, a: f64) -> f64 {
    let b = erlang_b(c, a);
    let rho = a / f64::from(c);
    b / (1.0 - rho * (1.0 - b))
}

/// Mean time in M/M/c; rates per second, `s` in seconds.
pub fn mmc_mean_s(c: u32, rate: f64, s: f64) -> f64 {
    s + erlang_c(c, rate * s) * s / (f64::from(c) - rate * s)
}

/// Mean time in M/D/1 (Pollaczek, Khinchine).
pub fn md1_mean_s(rate: f64, s: f64) -> f64 {
    let rho = rate * s;
    s + rho * s / (2.0 * (1.0 - rho))
}

/// The share that M/M/1/K rejects.
pub fn mm1k_loss(k: i32, rho: f64) -> f64 {
    if (rho - 1.0).abs() < 1e-12 {
        return 1.0 / f64::from(k + 1);
    }
    (1.0 - rho) * rho.powi(k) / (1.0 - rho.powi(k + 1))
}

/// Exact mean value analysis of one queueing station with think time: (throughput per s, response s).
pub fn mva(users: u32, demand_s: f64, think_s: f64) -> (f64, f64) {
    let mut queue = 0.0;
    let mut found = (0.0, 0.0);
    for n in 1..=users {
        let response = demand_s * (1.0 + queue);
        let throughput = f64::from(n) / (think_s + response);
        queue = throughput * response;
        found = (throughput, response);
    }
    found
}

/// Universal Scalability Law: throughput of n at a time if a single one has `one`.
pub fn usl(n: f64, one: f64, sigma: f64, kappa: f64) -> f64 {
    one * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// The hit ratio in steady state of K uniform keys with lifetime T, each looked up at rate/K.
pub fn ttl_hits(rate: f64, ttl_s: f64, keys: f64) -> f64 {
    rate * ttl_s / (keys + rate * ttl_s)
}
