//! The catalog: detectors and policies, which can change while requests run.

mod dependents;
mod follow;

use std::sync::Arc;

use arc_swap::ArcSwap;
use detector_api::orchestrate::ErrorCode;
use service_runtime::Shutdown;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use crate::ask::health::{self, Checks};
use crate::ask::registry::{Detector, DetectorName, Observers, Registry};
use crate::ask::trust::RegistrationSource;
use crate::config::{Config, DetectorSettings};
use crate::error::ApiError;
use crate::events::{self, Kind};
use crate::policies::{Policies, Version};
use crate::policy::Policy;
use crate::request::demands::{check_names, in_registry};
use crate::request::select::Rules;
use crate::share::answer_store::AnswerStore;
use crate::share::scope::Scope;

/// Maximum number of policies that a message names.
const MOST_NAMED: usize = 10;

/// The detectors and policies of one orchestrator.
pub struct Catalog {
    pub registry: ArcSwap<Registry>,
    pub policies: Policies,
    config: Arc<Config>,
    answers: Arc<AnswerStore>,
    checks: Checks,
    /// Held while the registry changes; requests read without it.
    change: Mutex<()>,
    owner: Owner,
}

/// The owner of the checks' tasks, and the end of the checks.
pub struct Owner {
    pub tasks: TaskTracker,
    pub shutdown: Shutdown,
}

/// The effect of a change on a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Replaced,
    Removed,
}

impl Change {
    fn put(old: Option<&Arc<Detector>>) -> Self {
        if old.is_some() {
            Self::Replaced
        } else {
            Self::Added
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
        }
    }

    /// The old and the new detector.
    fn step(self) -> (&'static str, &'static str) {
        match self {
            Self::Added => ("unknown", "registered"),
            Self::Replaced => ("registered", "registered"),
            Self::Removed => ("registered", "unknown"),
        }
    }
}

/// The hint for a bundle that a tenant does not have: which it has, and how to add one.
fn no_policy(tenant: &str, bundle: &str, known: &[String]) -> String {
    let names = known.iter().map(String::as_str);
    let hint = match live_config::read::nearest(bundle, names.clone()) {
        Some(near) => format!("did you mean `{near}`? It has "),
        None => "it has ".to_owned(),
    };
    let shown: Vec<&str> = names.take(MOST_NAMED).collect();
    let more = match known.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "policy_bundle: the tenant has no policy of this name; {hint}{}{more}. Add one with \
         PUT /policies/{tenant}/NAME, or as orchestration.policies.{tenant}.NAME in the fleet file",
        shown.join(", ")
    )
}

impl Catalog {
    /// The detectors and policies of `config`; health checks begin with [`Catalog::watch_all`].
    pub fn new(
        config: Arc<Config>,
        answers: Arc<AnswerStore>,
        checks: Checks,
        owner: Owner,
    ) -> Self {
        let policies = Policies::default();
        for ((tenant, bundle), policy) in &config.policies {
            if let Err(error) = policies.put(tenant, bundle, policy.clone()) {
                tracing::error!(tenant, bundle, %error, "a policy was not applied");
            }
        }
        let catalog = Self {
            registry: ArcSwap::default(),
            policies,
            config,
            answers,
            checks,
            change: Mutex::default(),
            owner,
        };
        let settings = catalog.config.detectors.iter();
        let detectors =
            settings.map(|settings| catalog.detector(settings.clone(), RegistrationSource::File));
        let registry = Registry::new(detectors);
        catalog.registry.store(Arc::new(registry));
        catalog
    }

    /// The policy in this bundle.
    ///
    /// # Errors
    /// POLICY_NOT_FOUND.
    pub fn rules(&self, tenant: &str, bundle: &str) -> Result<Rules, ApiError> {
        let Some(current) = self.policies.current(tenant, bundle) else {
            let known = self.policies.names(tenant);
            return Err(ApiError::new(
                ErrorCode::PolicyNotFound,
                no_policy(tenant, bundle, &known),
            ));
        };
        Ok(Rules {
            policy: current.policy,
            bundle: bundle.into(),
            version: current.version,
            digest: current.digest,
            default_coverage: self.config.partial_coverage_threshold,
        })
    }

    /// Starts the health checks of all detectors.
    pub fn watch_all(&self) {
        for detector in self.registry.load().iter() {
            self.watch(detector.clone());
        }
    }

    fn watch(&self, detector: Arc<Detector>) {
        self.owner
            .tasks
            .spawn(health::watch(self.checks.clone(), detector));
    }

    /// Registers a detector, replacing one with the same name, and drops its cached answers. Without `replace`
    /// an existing one is kept. Returns whether it was registered.
    ///
    /// # Errors
    /// CONFLICT: a policy or a shadow would lose a detector that it names.
    pub async fn register(
        &self,
        settings: DetectorSettings,
        replace: bool,
    ) -> Result<bool, ApiError> {
        let _change = self.change.lock().await;
        let before = self.registry.load_full();
        if before.has(&settings.name) && !replace {
            return Ok(false);
        }
        let detector = self.detector(settings, RegistrationSource::Api);
        let old = before.get(&detector.name);
        self.take_over(&before, before.with(detector.clone()))?;
        self.changed(&detector.name, old, Change::put(old)).await;
        self.watch(detector);
        Ok(true)
    }

    /// Removes the detector with exactly this name, not an alias, and returns it, if there is one. Calls in
    /// progress are not affected.
    ///
    /// # Errors
    /// As [`Catalog::register`].
    pub async fn unregister(&self, name: &str) -> Result<Option<DetectorName>, ApiError> {
        let _change = self.change.lock().await;
        let before = self.registry.load_full();
        let Some(old) = before.find(name).filter(|it| it.name() == name) else {
            return Ok(None);
        };
        self.take_over(&before, before.without(&old.name))?;
        self.forget_gone();
        self.changed(&old.name, Some(old), Change::Removed).await;
        Ok(Some(old.name.clone()))
    }

    /// Replaces the registry unless a policy or a shadow would lose a detector that it names.
    fn take_over(&self, before: &Registry, after: Registry) -> Result<(), ApiError> {
        dependents::check_shadows(before, &after)?;
        match dependents::first(&self.policies, before, &after) {
            Some(dependent) => Err(dependent.refusal()),
            None => {
                self.registry.store(Arc::new(after));
                Ok(())
            }
        }
    }

    /// Stores a policy as the newest version of its bundle.
    ///
    /// # Errors
    /// INVALID_REQUEST: it requires a shadow or has two values for one detector, or there are too many policies.
    pub async fn store_policy(
        &self,
        tenant: &str,
        bundle: &str,
        policy: Policy,
    ) -> Result<Version, ApiError> {
        // So that no detector becomes a shadow between the check and the change.
        let _change = self.change.lock().await;
        check_names(&policy, &in_registry(&self.registry.load()))?;
        self.policies.put(tenant, bundle, policy)
    }

    /// Restores an older version of a policy; `None`: there is no such version.
    ///
    /// # Errors
    /// CONFLICT: it requires a detector that is a shadow now; or there are too many policies.
    pub async fn roll_back_policy(
        &self,
        tenant: &str,
        bundle: &str,
        version: u64,
    ) -> Result<Option<Version>, ApiError> {
        let _change = self.change.lock().await;
        let versions = self.policies.versions(tenant, bundle);
        if let Some(old) = versions.iter().find(|it| it.version == version) {
            check_names(&old.policy, &in_registry(&self.registry.load()))
                .map_err(|error| ApiError::new(ErrorCode::Conflict, error.message))?;
        }
        self.policies.roll_back(tenant, bundle, version)
    }

    /// Drops metrics that late calls to removed detectors created. Not while the registry changes, since a
    /// detector has metrics before it is registered.
    pub fn forget_detectors(&self) {
        if let Ok(_unchanged) = self.change.try_lock() {
            let registry = self.registry.load();
            self.checks.metrics.forget_again(&|name| registry.has(name));
        }
    }

    /// Drops the metrics of removed detectors.
    fn forget_gone(&self) {
        let registry = self.registry.load();
        self.checks.metrics.forget(&|name| registry.has(name));
    }

    /// A new detector with these settings, not yet registered.
    fn detector(&self, settings: DetectorSettings, origin: RegistrationSource) -> Arc<Detector> {
        let stop = self.owner.shutdown.child_token();
        let shared = Observers {
            metrics: &self.checks.metrics,
            events: &self.checks.events,
        };
        let settings = settings.under(&self.config.sla);
        Arc::new(Detector::new(settings, origin, shared, stop))
    }

    /// Ends the old detector with this name, drops its cached answers, and reports the change.
    async fn changed(&self, name: &DetectorName, old: Option<&Arc<Detector>>, change: Change) {
        if let Some(old) = old {
            old.stop.cancel();
        }
        let scope = Scope {
            detector: Some(name.clone()),
            ..Scope::default()
        };
        self.answers.invalidate(&scope).await;
        let (from, to) = change.step();
        self.checks.events.changed(&events::Change {
            kind: Kind::Registry,
            detector: name.as_str(),
            endpoint: None,
            from,
            to,
            reason: change.name(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_policy_is_answered_with_those_there_are_and_with_how_to_add_one() {
        let names = |count: usize| -> Vec<String> {
            let many = (1..count).map(|number| format!("bundle-{number:02}"));
            std::iter::once("default".to_owned()).chain(many).collect()
        };
        let said = no_policy("acme", "strict", &names(1));
        assert_eq!(
            said,
            "policy_bundle: the tenant has no policy of this name; it has default. Add one with \
             PUT /policies/acme/NAME, or as orchestration.policies.acme.NAME in the fleet file"
        );
        let said = no_policy("acme", "defualt", &names(12));
        assert!(
            said.contains("did you mean `default`? It has default, bundle-01"),
            "{said}"
        );
        assert!(said.contains("bundle-09 and 2 more. Add"), "{said}");
    }
}
