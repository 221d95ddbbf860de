//! Active health checks: one per detector and interval, jittered, outside all latency figures.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use rand::RngExt;
use tokio::time::{Instant, sleep, timeout};

use crate::app::App;
use crate::config;
use crate::events::Kind;
use crate::registry::Detector;
use crate::transport::Transport;

const ANSWER_BYTES: usize = 64 * 1024;

/// Counts checks in a row and says when a detector leaves or re-enters rotation.
#[derive(Debug, Default)]
struct Streak {
    good: u32,
    bad: u32,
    out: bool,
}

impl Streak {
    /// Whether it is in rotation after this check.
    fn count(&mut self, well: bool, limits: &config::Health) -> bool {
        if well {
            self.good = self.good.saturating_add(1);
            self.bad = 0;
            self.out &= self.good < limits.healthy_after;
        } else {
            self.bad = self.bad.saturating_add(1);
            self.good = 0;
            self.out |= self.bad >= limits.unhealthy_after;
        }
        !self.out
    }
}

/// Checks one detector until it is stopped, the first time at once.
pub async fn watch(app: Arc<App>, detector: Arc<Detector>) {
    // Checks do not take pooled connections from calls.
    let transport = app.transport.separate();
    let mut streak = Streak::default();
    loop {
        check(&app, &detector, &transport, &mut streak).await;
        let pause = jittered(app.config.health.interval);
        tokio::select! {
            () = detector.stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

async fn check(app: &App, detector: &Detector, transport: &Transport, streak: &mut Streak) {
    let started = Instant::now();
    let well = probe(detector, transport, app.config.health.timeout).await;
    let was = detector.is_in_rotation();
    let is = streak.count(well, &app.config.health);
    detector.set_health(is, well);
    if well {
        detector.breaker.probe_succeeded();
    }
    if was != is {
        let name = detector.name();
        tracing::warn!(
            detector = name,
            in_rotation = is,
            "health checks changed the rotation"
        );
        let word = |inside| {
            if inside {
                "in_rotation"
            } else {
                "out_of_rotation"
            }
        };
        let step = (word(was), word(is));
        app.events.changed(Kind::Health, name, step, "health_check");
    }
    if detector.stop.is_cancelled() {
        return;
    }
    app.metrics.probed(detector.name(), is, started.elapsed());
}

async fn probe(detector: &Detector, transport: &Transport, limit: Duration) -> bool {
    let Some(uri) = check_uri(
        &detector.settings.endpoint,
        &detector.settings.health_check_path,
    ) else {
        return false;
    };
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = uri;
    let exchange = transport.exchange(detector.origin, request, ANSWER_BYTES);
    matches!(timeout(limit, exchange).await, Ok(Ok(answer)) if answer.status.is_success())
}

fn check_uri(endpoint: &Uri, path: &str) -> Option<Uri> {
    let mut parts = endpoint.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Between nine and eleven tenths, so that checks of many detectors spread out.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_needs_failures_in_a_row_to_leave_and_successes_in_a_row_to_return() {
        let limits = config::Health {
            interval: Duration::ZERO,
            timeout: Duration::ZERO,
            unhealthy_after: 3,
            healthy_after: 2,
        };
        let mut streak = Streak::default();
        let checks = [
            false, false, true, false, false, false, true, false, true, true,
        ];
        let rotation = checks.map(|well| streak.count(well, &limits));
        assert_eq!(
            rotation,
            [
                true, true, true, true, true, false, false, false, false, true
            ]
        );
    }

    #[test]
    fn the_check_goes_to_the_endpoints_host() {
        let endpoint = Uri::from_static("http://localhost:8001/detect");
        let uri = check_uri(&endpoint, "/health").expect("a path");
        assert_eq!(uri, "http://localhost:8001/health");
        assert_eq!(check_uri(&endpoint, "no path"), None);
    }
}
