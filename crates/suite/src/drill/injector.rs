//! The faults in force: overlays that expire in their mocks unless they are
//! renewed, so that not even `kill -9` leaves one behind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::Method;
use serde_json::Value;
use simulated_server::AdminClient;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::error::ConductError;

/// Maximum time that an overlay outlives the drill.
pub const TTL: Duration = Duration::from_secs(6);
const RENEW_EVERY: Duration = Duration::from_millis(1_500);
/// Maximum time until a mock accepts connections again after a fault.
const COMES_BACK: Duration = Duration::from_secs(3);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Creates, renews and reverts overlays.
#[derive(Debug, Clone)]
pub(super) struct Injector {
    /// Distinguishes the overlays of this drill from those of others.
    prefix: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<Held>,
    /// Detectors whose overlay disappeared early.
    lost: Vec<String>,
}

/// An overlay of a detector's profile: its name at the admin API `url`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Overlay {
    url: String,
    name: String,
}

/// One fault at one detector.
#[derive(Debug, Clone)]
struct Held {
    detector: String,
    admin: AdminClient,
    overlay: Overlay,
    /// Unreachable during the fault: it cannot be renewed and has its whole lifetime from the start.
    cuts_off_until: Option<Instant>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request was sent, but not yet confirmed.
    Coming,
    InForce,
    /// It disappeared early.
    Lost,
}

/// An injected fault and its detector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Injection<'a> {
    /// The index of the injection among the drill's faults; repetitions are counted separately.
    pub index: usize,
    pub detector: &'a str,
    /// The admin API.
    pub url: &'a str,
    pub patch: &'a Value,
    pub lasts: Duration,
}

impl Injector {
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = since.unwrap_or_default().as_millis();
        Self {
            prefix: format!("drill-{}-{millis}", std::process::id()),
            state: Arc::default(),
        }
    }

    /// Injects a fault. Returns false if the patch changes nothing at a detector that no other fault of
    /// this drill changes.
    ///
    /// # Errors
    /// The mock rejected the patch or cannot be reached. If it applied the patch nevertheless, it is
    /// reverted with the rest.
    pub async fn inject(&self, injection: Injection<'_>) -> Result<bool, ConductError> {
        let cuts_off = cuts_off(injection.patch);
        let held = Held {
            detector: injection.detector.to_owned(),
            admin: AdminClient::new(injection.url),
            overlay: self.overlay(&injection),
            cuts_off_until: cuts_off.then(|| Instant::now() + injection.lasts),
            phase: Phase::Coming,
        };
        let fail = |source| ConductError::Inject {
            detector: injection.detector.to_owned(),
            source,
        };
        let admin = &held.admin;
        let before = admin.send(Method::GET, "/profile", None).await;
        let before = before.map_err(fail)?;
        let ttl = if cuts_off { injection.lasts } else { TTL };
        // Before the call, because its response may be lost.
        let is_alone = self.hold(held.clone());
        let laid = admin.lay(&held.overlay.name, injection.patch, ttl).await;
        let after = laid.map_err(fail)?;
        self.enter(&held.overlay, Phase::InForce);
        Ok(!is_alone || before != after)
    }

    /// Registers a fault. Returns true if there is no other one at its detector.
    fn hold(&self, held: Held) -> bool {
        let mut state = self.lock();
        let is_alone = state
            .held
            .iter()
            .all(|other| other.detector != held.detector);
        state.held.push(held);
        is_alone
    }

    /// Records the phase of an overlay. Returns false if it is no longer registered.
    fn enter(&self, overlay: &Overlay, phase: Phase) -> bool {
        let mut state = self.lock();
        let mut held = state.held.iter_mut();
        let found = held.find(|held| held.overlay == *overlay);
        found.map(|held| held.phase = phase).is_some()
    }

    /// Reverts one fault; others at the same detector remain.
    ///
    /// # Errors
    /// The mock cannot be reached.
    pub async fn take_back(&self, injection: Injection<'_>) -> Result<(), ConductError> {
        let overlay = self.overlay(&injection);
        let held = self
            .lock()
            .held
            .iter()
            .find(|held| held.overlay == overlay)
            .cloned();
        match held {
            Some(held) => self.lift(&held).await,
            None => Ok(()),
        }
    }

    /// Reverts everything, at all detectors in parallel; returns the first error.
    ///
    /// # Errors
    /// A mock cannot be reached.
    pub async fn take_all_back(&self) -> Result<(), ConductError> {
        let mut lifting = JoinSet::new();
        let all = self.lock().held.clone();
        for held in all {
            let injector = self.clone();
            lifting.spawn(async move { injector.lift(&held).await });
        }
        let mut result = Ok(());
        while let Some(lifted) = lifting.join_next().await {
            result = result.and(lifted.unwrap_or(Ok(())));
        }
        result
    }

    async fn lift(&self, held: &Held) -> Result<(), ConductError> {
        let deadline = match held.cuts_off_until {
            Some(end) if end < Instant::now() + COMES_BACK => end + COMES_BACK,
            _ => Instant::now(),
        };
        loop {
            match held.admin.lift(&held.overlay.name).await {
                // It has been reverted, by this or another client.
                Ok(_) => break,
                Err(_) if Instant::now() < deadline => sleep(ASK_AGAIN).await,
                Err(source) => {
                    let left = held
                        .cuts_off_until
                        .map_or(TTL, |end| end.saturating_duration_since(Instant::now()));
                    return Err(ConductError::TakeBack {
                        detector: held.detector.clone(),
                        seconds: left.as_secs() + 1,
                        source,
                    });
                }
            }
        }
        let overlay = &held.overlay;
        self.lock().held.retain(|held| held.overlay != *overlay);
        Ok(())
    }

    /// Renews the overlays in force, until it is dropped.
    pub async fn keep(self) {
        loop {
            sleep(RENEW_EVERY).await;
            let mut held = self.lock().held.clone();
            // An overlay whose request is still in flight would seem to be gone.
            held.retain(|held| held.phase == Phase::InForce && held.cuts_off_until.is_none());
            let mut renewing = JoinSet::new();
            for held in held {
                let injector = self.clone();
                renewing.spawn(async move { injector.renew(&held).await });
            }
            while renewing.join_next().await.is_some() {}
        }
    }

    async fn renew(&self, held: &Held) {
        // A mock that does not respond is retried next time.
        if !matches!(held.admin.renew(&held.overlay.name, TTL).await, Ok(false)) {
            return;
        }
        // It may have been reverted during the request.
        if self.enter(&held.overlay, Phase::Lost) {
            self.lock().lost.push(held.detector.clone());
        }
    }

    /// Detectors whose overlay disappeared before the drill reverted it.
    pub fn lost(&self) -> Vec<String> {
        self.lock().lost.clone()
    }

    fn overlay(&self, injection: &Injection<'_>) -> Overlay {
        Overlay {
            url: injection.url.to_owned(),
            name: format!("{}-{}", self.prefix, injection.index),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this patch makes a mock unreachable, including its admin API.
fn cuts_off(patch: &Value) -> bool {
    match patch {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name == "refused" && value == true || cuts_off(value)),
        Value::Array(items) => items.iter().any(cuts_off),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cuts_off;

    #[test]
    fn a_patch_that_takes_the_listener_down_cuts_off_in_any_notation() {
        for (patch, expected) in [
            (json!({"connection": {"refused": true}}), true),
            (
                json!({"schedule": {"stages": [{"at_ms": 0, "set": {"connection": {"refused": true}}}]}}),
                true,
            ),
            (json!({"connection": {"refused": false}}), false),
            (json!({"success_rate": 0}), false),
        ] {
            assert_eq!(cuts_off(&patch), expected, "{patch}");
        }
    }
}
