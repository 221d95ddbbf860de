//! All metrics of a run. Shared by all threads; touched at init time, never per sample.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::builtin;
use crate::metric::{Contains, Filter, Kind, Metric, MetricId};

/// The reason why a metric cannot be registered. The texts are k6's: scripts see them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegisterError {
    /// The name breaks k6's rule.
    #[error(
        "Invalid metric name: '{0}'. Metric names must only include up to 128 ASCII letters, numbers, or underscores and start with a letter or an underscore."
    )]
    Name(String),
    /// The same name was registered with another type.
    #[error("metric '{name}' already exists but with type {has}, instead of {wants}")]
    Kind {
        /// The metric.
        name: String,
        /// Its type.
        has: Kind,
        /// The requested type.
        wants: Kind,
    },
    /// The same name was registered with another unit.
    #[error("metric '{name}' already exists but with a value type {has}, instead of {wants}")]
    Contains {
        /// The metric.
        name: String,
        /// Its unit.
        has: Contains,
        /// The requested unit.
        wants: Contains,
    },
}

/// The metrics of a run, built-in ones included.
#[derive(Debug)]
pub struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    metrics: Vec<Metric>,
    by_name: HashMap<String, MetricId>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry that holds the built-in metrics.
    pub fn new() -> Self {
        let mut inner = Inner::default();
        for &(id, name, kind, contains) in builtin::ALL {
            let added = inner.add(name.to_owned(), kind, contains, None);
            debug_assert_eq!(added, id);
        }
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// Registers a metric. Registering the same name again returns the same id.
    ///
    /// # Errors
    /// The name is invalid, or taken by a metric of another type or unit.
    pub fn register(
        &self,
        name: &str,
        kind: Kind,
        contains: Contains,
    ) -> Result<MetricId, RegisterError> {
        if !valid_name(name) {
            return Err(RegisterError::Name(name.to_owned()));
        }
        let mut inner = self.lock();
        let Some(known) = inner.by_name.get(name).map(|id| &inner.metrics[id.index()]) else {
            return Ok(inner.add(name.to_owned(), kind, contains, None));
        };
        if known.kind != kind {
            let (name, has) = (known.name.clone(), known.kind);
            return Err(RegisterError::Kind {
                name,
                has,
                wants: kind,
            });
        }
        if known.contains != contains {
            let (name, has) = (known.name.clone(), known.contains);
            return Err(RegisterError::Contains {
                name,
                has,
                wants: contains,
            });
        }
        Ok(known.id)
    }

    /// Registers a sub-metric under the name `parent{suffix}`. Registering it again returns the same id.
    /// Recorders that were made earlier do not record it.
    pub fn register_filtered(&self, filter: Filter) -> MetricId {
        let mut inner = self.lock();
        let parent = inner.metrics[filter.parent.index()].clone();
        let name = format!("{}{{{}}}", parent.name, filter.suffix);
        if let Some(&id) = inner.by_name.get(&name) {
            return id;
        }
        inner.add(name, parent.kind, parent.contains, Some(filter))
    }

    /// The metric with this name: `http_reqs` or `http_reqs{status:200}`.
    pub fn find(&self, name: &str) -> Option<Metric> {
        let inner = self.lock();
        inner
            .by_name
            .get(name)
            .map(|id| inner.metrics[id.index()].clone())
    }

    /// A copy of a metric's description.
    pub fn metric(&self, id: MetricId) -> Metric {
        self.lock().metrics[id.index()].clone()
    }

    /// How a metric is aggregated.
    pub fn kind(&self, id: MetricId) -> Kind {
        self.lock().metrics[id.index()].kind
    }

    /// Copies of all metrics, in order of their ids.
    pub fn all(&self) -> Vec<Metric> {
        self.lock().metrics.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(
        &mut self,
        name: String,
        kind: Kind,
        contains: Contains,
        filter: Option<Filter>,
    ) -> MetricId {
        let next = u32::try_from(self.metrics.len()).expect("fewer metrics than fit in memory");
        let id = MetricId(next);
        self.by_name.insert(name.clone(), id);
        self.metrics.push(Metric {
            id,
            name,
            kind,
            contains,
            filter,
        });
        id
    }
}

fn valid_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    starts_well && clean && (2..=129).contains(&name.len())
}
