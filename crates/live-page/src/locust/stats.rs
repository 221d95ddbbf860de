//! `/stats/requests` with the fields of Locust. Values are exact, while Locust rounds them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use report::record::{Endpoint, Figures, TestRecord};
use serde_json::{Map, Value, json};

use crate::history::Point;
use crate::live_run::Stage;
use crate::measured::Recent;
use crate::record::{current, record};
use crate::routes::Shown;

/// Maximum number of rows, as in Locust.
const MOST_ROWS: usize = 500;

pub(crate) async fn requests(State(page): Shown) -> Json<Value> {
    let test = current(&page.board);
    let began = record(&page.board).began.parse::<Timestamp>();
    let began_s = began.map_or(0.0, |began| began.as_millisecond() as f64 / 1e3) + test.begin_s;
    let (recent, history, stage, users) = {
        let shown = page.board.lock();
        (
            shown.measured.recent(),
            shown.measured.history(),
            shown.stage,
            shown.measured.current_users(),
        )
    };
    let mut answer = report(&test, &recent, stage, users);
    answer["errors"] = Value::Array(errors(&test, began_s));
    if test.figures.requests > 0 {
        let points = history.iter().map(|it| point(it, began_s));
        answer["history"] = points.collect();
    }
    Json(answer)
}

fn report(test: &TestRecord, recent: &Recent, stage: Stage, users: Option<f64>) -> Value {
    let mut stats: Vec<Value> = Vec::new();
    for (place, endpoint) in test.endpoints.iter().enumerate().take(MOST_ROWS) {
        let Endpoint {
            method,
            name,
            figures,
            ..
        } = endpoint;
        let lately = recent.by_endpoint.get(&place).copied().unwrap_or_default();
        stats.push(row(
            method,
            name,
            figures,
            per_second(lately.0, lately.1, recent),
        ));
    }
    let all = per_second(recent.all.requests, recent.all.failures, recent);
    let total = row("", "Aggregated", &test.figures, all);
    let percentile = |quantile| recent.all.percentile_ms(quantile);
    let answer = json!({
        "errors": [],
        "current_rps": total["current_rps"],
        "current_fail_per_sec": total["current_fail_per_sec"],
        "total_rps": total["total_rps"],
        "total_fail_per_sec": total["total_fail_per_sec"],
        "total_avg_response_time": total["avg_response_time"],
        "fail_ratio": test.figures.error_rate().unwrap_or(0.0),
        "current_response_time_percentiles": {
            "response_time_percentile_0.5": percentile(0.5),
            "response_time_percentile_0.95": percentile(0.95),
        },
        "workers": [],
        "history": [],
        "state": state(stage),
        "user_count": users.unwrap_or(0.0) as u64,
    });
    stats.push(total);
    let mut all = Map::new();
    all.insert("stats".to_owned(), Value::Array(stats));
    all.extend(answer.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

fn per_second(requests: u64, failures: u64, recent: &Recent) -> [f64; 2] {
    [
        requests as f64 / recent.seconds.max(1.0),
        failures as f64 / recent.seconds.max(1.0),
    ]
}

/// Locust writes 0 where nothing was measured.
fn row(method: &str, name: &str, figures: &Figures, [rps, fails]: [f64; 2]) -> Value {
    let latency = figures.latency.as_ref();
    let requests = figures.requests;
    let percentile = |key| figures.percentile(key).unwrap_or(0.0);
    let per_s = |count: u64| {
        if figures.seconds > 0.0 {
            count as f64 / figures.seconds
        } else {
            0.0
        }
    };
    json!({
        "method": method,
        "name": name,
        "safe_name": name,
        "num_requests": requests,
        "num_failures": figures.failures,
        "min_response_time": latency.map_or(0.0, |latency| latency.min),
        "max_response_time": latency.map_or(0.0, |latency| latency.max),
        "current_rps": rps,
        "current_fail_per_sec": fails,
        "avg_response_time": latency.map_or(0.0, |latency| latency.mean),
        "median_response_time": percentile("p50"),
        "total_rps": per_s(requests),
        "total_fail_per_sec": per_s(figures.failures),
        "response_time_percentile_0.95": percentile("p95"),
        "response_time_percentile_0.99": percentile("p99"),
        "avg_content_length": figures.mean_content_bytes().unwrap_or(0.0),
    })
}

/// A point of the charts, in the form that Locust gives its page: each value beside its time.
fn point(point: &Point, began_s: f64) -> Value {
    let time = Timestamp::from_second(began_s as i64 + i64::from(point.at_s));
    let time = time.unwrap_or_default().to_string();
    json!({
        "response_time_percentile_0.5": [time, point.p50_ms],
        "response_time_percentile_0.95": [time, point.p95_ms],
        "current_rps": [time, point.requests_per_s],
        "current_fail_per_sec": [time, point.failures_per_s],
        "total_avg_response_time": [time, point.mean_ms],
        "user_count": [time, point.users as u64],
        "time": time,
    })
}

/// Times are in seconds since 1970; the test began at one.
fn errors(test: &TestRecord, began_s: f64) -> Vec<Value> {
    let all = test.endpoints.iter().flat_map(|endpoint| {
        endpoint.errors.iter().map(|(error, times)| {
            let seen = endpoint.error_times.get(error);
            json!({
                "method": endpoint.method,
                "name": endpoint.name,
                "error": error,
                "occurrences": times,
                "first_seen": seen.map(|[first, _]| began_s + first),
                "last_seen": seen.map(|[_, last]| began_s + last),
            })
        })
    });
    all.take(MOST_ROWS).collect()
}

/// Locust's texts.
const fn state(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "ready",
        Stage::Starting => "spawning",
        Stage::Running => "running",
        Stage::Stopping => "cleanup",
        Stage::Ended => "stopped",
    }
}
