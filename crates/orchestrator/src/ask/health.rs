//! Active health checks: one per endpoint and interval, jittered, outside all latency figures.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, Uri};
use rand::RngExt;
use tokio::time::{Instant, sleep, timeout};

use crate::ask::registry::Detector;
use crate::ask::replicas::Replica;
use crate::ask::transport::{Sent, Transport};
use crate::config;
use crate::events::{Change, Events, Kind};
use crate::metrics::Metrics;

const ANSWER_BYTES: usize = 64 * 1024;

/// Counts consecutive checks and decides when a detector leaves or re-enters rotation.
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

/// The state that all checks share.
#[derive(Clone)]
pub struct Checks {
    pub config: config::Health,
    pub transport: Transport,
    pub metrics: Arc<Metrics>,
    pub events: Arc<Events>,
}

/// Checks one detector until it is stopped, the first time at once.
pub async fn watch(checks: Checks, detector: Arc<Detector>) {
    // Health checks do not use the pooled connections of calls.
    let transport = checks.transport.separate();
    let mut streaks: Vec<Streak> = detector
        .replicas
        .iter()
        .map(|_| Streak::default())
        .collect();
    loop {
        checks.all(&detector, &transport, &mut streaks).await;
        let pause = jittered(checks.config.interval);
        tokio::select! {
            () = detector.stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

impl Checks {
    async fn all(&self, detector: &Detector, transport: &Transport, streaks: &mut [Streak]) {
        let started = Instant::now();
        let checks = detector.replicas.iter().zip(streaks);
        let checks = checks.map(|(replica, streak)| self.one(detector, replica, transport, streak));
        join_all(checks).await;
        if detector.stop.is_cancelled() {
            return;
        }
        let inside = detector.is_in_rotation();
        self.metrics
            .probed(detector.name(), inside, started.elapsed());
    }

    async fn one(
        &self,
        detector: &Detector,
        replica: &Replica,
        transport: &Transport,
        streak: &mut Streak,
    ) {
        let well = probe(detector, replica, transport, self.config.timeout).await;
        let was = replica.is_in_rotation();
        let is = streak.count(well, &self.config);
        replica.set_in_rotation(is);
        detector.seen(well);
        if well {
            replica.breaker.probe_succeeded();
        }
        if was != is {
            self.tell(detector, replica, is);
        }
    }

    /// Handles a change of the rotation by a check.
    fn tell(&self, detector: &Detector, replica: &Replica, is: bool) {
        let name = detector.name();
        let endpoint = (detector.replicas.count() > 1).then(|| replica.uri.to_string());
        tracing::warn!(
            detector = name,
            endpoint,
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
        self.events.changed(&Change {
            kind: Kind::Health,
            detector: name,
            endpoint: endpoint.as_deref(),
            from: word(!is),
            to: word(is),
            reason: "health_check",
        });
    }
}

async fn probe(
    detector: &Detector,
    replica: &Replica,
    transport: &Transport,
    limit: Duration,
) -> bool {
    let Some(uri) = check_uri(&replica.uri, &detector.settings.health_check_path) else {
        return false;
    };
    let request = || {
        let mut request = Request::new(Sent::nothing());
        *request.uri_mut() = uri.clone();
        request
    };
    let exchange = transport.exchange(detector.origin, request, ANSWER_BYTES);
    matches!(timeout(limit, exchange).await, Ok(Ok(answer)) if answer.status.is_success())
}

fn check_uri(endpoint: &Uri, path: &str) -> Option<Uri> {
    let mut parts = endpoint.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// A random factor of 0.9 to 1.1, so that checks of many detectors spread out.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_rotation_takes_consecutive_failures_and_returning_consecutive_successes() {
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
