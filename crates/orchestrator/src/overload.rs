//! Overload control. Fan-outs are admitted under an adaptive limit; beyond it they wait in a short queue. The
//! longer the queue, the more optional detectors are left out (a brown-out), the least valuable first; only a
//! full queue rejects requests, critical ones last. All of it ends when the queue is empty.

use std::time::Duration;

use detector_api::orchestrate::{ErrorCode, Priority, ProcessingMode};
use resilience::limit::{Gate, Pass, Sample, Waiting};
use tokio::time::{Instant, sleep};

use crate::ask::called::Called;
use crate::ask::failure::Failure;
use crate::config::{self, OnFailure};
use crate::error::ApiError;
use crate::request::select::{Plan, Selected};

/// The `Retry-After` of a rejected request.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a job waits before a retry when the queue is full.
const JOB_PAUSE: Duration = Duration::from_millis(100);

/// The admission control of one orchestrator.
pub struct Overload {
    gate: Gate,
    longest_wait: Duration,
}

/// Permission for one fan-out.
pub struct Admitted {
    pass: Pass,
    /// The degree of the brown-out, 0 to 1.
    pub brown_out: f64,
}

impl Overload {
    pub fn new(config: &config::Overload, sla: &config::Sla) -> Self {
        let waiting = Waiting {
            most: config.max_queued,
        };
        Self {
            gate: Gate::new(limit(config, sla), waiting),
            longest_wait: config.max_wait,
        }
    }

    /// Waits for admission, no longer than the request may.
    ///
    /// # Errors
    /// OVERLOADED: no admission in time, or the queue is full.
    pub async fn admit(
        &self,
        priority: Priority,
        mode: ProcessingMode,
        deadline: Instant,
    ) -> Result<Admitted, ApiError> {
        let until = match mode {
            ProcessingMode::Sync => deadline.min(Instant::now() + self.longest_wait),
            ProcessingMode::Async => deadline,
        };
        loop {
            // Measured before this request joins the queue.
            let brown_out = self.gate.pressure();
            if let Ok(pass) = self.gate.enter(priority as u8, until).await {
                return Ok(Admitted {
                    brown_out: brown_out.max(self.gate.pressure()),
                    pass,
                });
            }
            // An accepted job is run as long as there is time for it.
            if mode == ProcessingMode::Sync || Instant::now() + JOB_PAUSE >= until {
                break;
            }
            sleep(JOB_PAUSE).await;
        }
        let message = "the service is overloaded; retry later";
        Err(ApiError::new(ErrorCode::Overloaded, message).after(RETRY_AFTER))
    }

    pub fn limit(&self) -> u32 {
        self.gate.limit()
    }

    pub fn queued(&self) -> usize {
        self.gate.queued()
    }

    /// The current degree of the brown-out, 0 to 1.
    pub fn brown_out(&self) -> f64 {
        self.gate.pressure()
    }
}

/// The configured limit, with no more slack than the SLA allows: a queue that takes half of the shortest SLA
/// has to reject requests, whatever the configuration.
fn limit(config: &config::Overload, sla: &config::Sla) -> resilience::limit::Config {
    let shortest = sla.critical.min(sla.normal).min(sla.low);
    let most_ms = u64::try_from(shortest.as_millis() / 2).unwrap_or(u64::MAX);
    resilience::limit::Config {
        slack_ms: config.limit.slack_ms.min(most_ms),
        ..config.limit.clone()
    }
}

impl Admitted {
    /// Records the end of the fan-out, with these outcomes after this time.
    pub fn done(self, called: &[Called], took: Duration) {
        self.pass.report(sample(called, took));
    }
}

/// The sample for the adaptive limit: only calls that were answered, or waited for to the end, show how long a
/// fan-out takes. Refusals by breakers are immediate; as samples, they would make every real answer after an
/// outage look like queueing.
fn sample(called: &[Called], took: Duration) -> Sample {
    let tells = |one: &Called| {
        let to_the_end = matches!(
            one.outcome,
            Ok(_) | Err(Failure::Timeout | Failure::Deadline)
        );
        one.attempts > 0 && to_the_end
    };
    match called.iter().any(tells) {
        true => Sample::Answered(took),
        false => Sample::Ignored,
    }
}

/// The places in the plan of the detectors that a brown-out leaves out: optional ones, those with the least
/// weight per time first. At least one detector is always asked.
pub fn left_out(plan: &Plan, brown_out: f64) -> Vec<usize> {
    if brown_out <= 0.0 {
        return Vec::new();
    }
    let mut optional: Vec<(usize, f64)> = plan
        .selected
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.required && one.on_failure != OnFailure::Closed)
        .map(|(place, one)| (place, value(one)))
        .collect();
    optional.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let kept = usize::from(optional.len() == plan.selected.len());
    let most = optional.len().saturating_sub(kept);
    let count = (brown_out * (most + 1) as f64) as usize;
    optional
        .into_iter()
        .take(count.min(most))
        .map(|(place, _)| place)
        .collect()
}

/// Weight per second of usual latency; one that has not answered recently has little value.
fn value(one: &Selected) -> f64 {
    let usual = one
        .detector
        .as_ref()
        .and_then(|detector| detector.usual_time(0.5));
    one.weight
        / usual
            .unwrap_or(Duration::from_secs(60))
            .as_secs_f64()
            .max(1e-4)
}

#[cfg(test)]
mod tests {
    use resilience::breaker::{Rejected, State};

    use super::*;

    #[test]
    fn there_is_no_more_slack_than_half_of_the_shortest_sla() {
        let mut config = config::Config::default();
        let slack_ms = |config: &config::Config| limit(&config.overload, &config.sla).slack_ms;
        assert_eq!(slack_ms(&config), 500);
        config.sla.critical = Duration::from_millis(300);
        assert_eq!(slack_ms(&config), 150);
        config.overload.limit.slack_ms = 100;
        assert_eq!(slack_ms(&config), 100);
    }

    #[test]
    fn a_fan_out_of_refusals_is_not_a_latency_sample() {
        let refused = Failure::Breaker(Rejected {
            state: State::Open,
            retry_after: Duration::ZERO,
        });
        let reset = Failure::Transport(crate::ask::transport::TransportError::Reset);
        let called = |failure, attempts| Called {
            attempts,
            ..Called::unasked(&"a".into(), failure)
        };
        let took = Duration::from_millis(7);
        for (called, tells) in [
            (vec![called(refused, 0), called(refused, 0)], false),
            (vec![called(refused, 0), called(reset, 1)], false),
            (vec![called(refused, 0), called(Failure::Deadline, 1)], true),
            (vec![called(Failure::Timeout, 2), called(reset, 1)], true),
            // It was never polled.
            (vec![called(Failure::Deadline, 0)], false),
        ] {
            let expected = match tells {
                true => Sample::Answered(took),
                false => Sample::Ignored,
            };
            assert_eq!(sample(&called, took), expected, "{called:?}");
        }
    }
}
