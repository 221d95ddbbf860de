//! Entries of the journal: the treatment of each request, with its reason.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use simulated_server::journal;

use crate::network::{Finished, VisitRecord};
use crate::plan::Plan;

/// Maximum number of recorded characters of tenants and keys.
const MOST_CHARS: usize = 128;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Counted from 1 in the order in which requests ended.
    pub(super) sequence: u64,
    pub(super) unix_us: u64,
    pub(super) revision: u64,
    pub(super) tenant: Box<str>,
    pub(super) key: Box<str>,
    pub(super) attempt: u32,
    /// Index in the tenant's stream.
    pub(super) index: u64,
    /// Absent for a path that matches no endpoint.
    pub(super) endpoint: Option<Box<str>>,
    /// The endpoint's method and path, for metrics.
    #[serde(skip)]
    pub(super) route: Option<Box<str>>,
    /// `none`, or the `error_type`.
    pub(super) fault: Box<str>,
    /// The same; absent on success.
    pub(super) error_type: Option<Box<str>>,
    /// 0 if none was sent.
    pub(super) status: u16,
    pub(super) planned_us: u64,
    pub(super) queued_us: u64,
    pub(super) actual_us: u64,
    /// The client disconnected before the response.
    pub(super) cancelled: bool,
    pub(super) visits: Box<[Visited]>,
    pub(super) visits_omitted: u32,
}

/// A visit of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Visited {
    pub(super) component: Box<str>,
    pub(super) operation: Box<str>,
    pub(super) instance: u32,
    pub(super) queued_us: u64,
    pub(super) cpu_us: u64,
    pub(super) disk_us: u64,
    pub(super) network_us: u64,
    pub(super) service_us: u64,
    /// `ok`, or the `error_type`.
    pub(super) outcome: Box<str>,
}

impl Entry {
    /// The entry of a request before anything is known about it.
    pub(super) fn begin(tenant: &str, key: &str, revision: u64, index: u64, attempt: u32) -> Self {
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            sequence: 0,
            unix_us: micros(unix),
            revision,
            tenant: cut(tenant),
            key: cut(key),
            attempt,
            index,
            endpoint: None,
            route: None,
            fault: "none".into(),
            error_type: None,
            status: 0,
            planned_us: 0,
            queued_us: 0,
            actual_us: 0,
            cancelled: false,
            visits: Box::default(),
            visits_omitted: 0,
        }
    }

    pub(super) fn know(&mut self, endpoint: &str, route: &str) {
        self.endpoint = Some(endpoint.into());
        self.route = Some(route.into());
    }

    pub(super) fn fail(&mut self, error_type: &str, status: u16) {
        self.error_type = Some(error_type.into());
        self.fault = error_type.into();
        self.status = status;
    }

    pub(super) fn finish(&mut self, finished: &Finished, plan: &Plan) {
        self.revision = finished.revision;
        self.planned_us = micros(finished.planned);
        self.queued_us = micros(finished.queued());
        self.visits = finished
            .visits
            .iter()
            .map(|visit| Visited::new(visit, plan))
            .collect();
        self.visits_omitted = finished.visits_omitted;
        match (finished.outcome.error_type(), finished.outcome.status()) {
            (Some(error_type), status) => self.fail(error_type, status.unwrap_or(0)),
            (None, Some(status)) => self.status = status,
            (None, None) => self.cancelled = true,
        }
    }
}

impl Visited {
    pub(super) fn new(visit: &VisitRecord, plan: &Plan) -> Self {
        let component = plan.components.get(visit.component as usize);
        let operation =
            component.and_then(|component| component.operations.get(visit.operation as usize));
        Self {
            component: component.map_or("edge", |component| &component.name).into(),
            operation: operation
                .map_or("accept", |operation| &operation.name)
                .into(),
            instance: visit.instance,
            queued_us: micros(visit.queued),
            cpu_us: micros(visit.cpu),
            disk_us: micros(visit.disk),
            network_us: micros(visit.network),
            service_us: micros(visit.service),
            outcome: visit.error_type.as_deref().unwrap_or("ok").into(),
        }
    }
}

/// The first characters of an external text.
fn cut(text: &str) -> Box<str> {
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => text[..end].into(),
        None => text.into(),
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Selects entries.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    endpoint: Option<String>,
    fault: Option<String>,
    error_type: Option<String>,
    tenant: Option<String>,
    key: Option<String>,
    revision: Option<u64>,
    status: Option<u16>,
    cancelled: Option<bool>,
    /// Entries after this sequence number.
    after: Option<u64>,
    /// Without visits.
    brief: bool,
    limit: Option<usize>,
}

impl journal::Entry for Entry {
    type Filter = Filter;
    const TEXT_FILTERS: &'static [&'static str] =
        &["endpoint", "fault", "error_type", "tenant", "key"];

    fn number(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    fn matches(&self, filter: &Filter) -> bool {
        fn same<T: PartialEq + ?Sized>(wanted: Option<&T>, is: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        same(
            filter.endpoint.as_deref(),
            self.endpoint.as_deref().unwrap_or_default(),
        ) && same(filter.fault.as_deref(), &self.fault)
            && same(
                filter.error_type.as_deref(),
                self.error_type.as_deref().unwrap_or_default(),
            )
            && same(filter.tenant.as_deref(), &self.tenant)
            && same(filter.key.as_deref(), &self.key)
            && same(filter.revision.as_ref(), &self.revision)
            && same(filter.status.as_ref(), &self.status)
            && same(filter.cancelled.as_ref(), &self.cancelled)
            && filter.after.is_none_or(|after| self.sequence > after)
    }

    fn limit(filter: &Filter) -> Option<usize> {
        filter.limit
    }

    fn shorten(&mut self, filter: &Filter) {
        if filter.brief {
            self.visits = Box::default();
        }
    }

    fn fault(&self) -> &str {
        &self.fault
    }
}
