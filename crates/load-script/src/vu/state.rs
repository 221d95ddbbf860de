//! What native functions know of the VU that calls them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use load_engine::log::Logger;
use load_engine::{Activation, Interrupt, Iteration, RunState, VuContext, VuIds};
use load_metrics::{MetricId, Recorder, SystemTag, TagSet, Tags, UnixNanos};

use rquickjs::{Persistent, Value};

use super::events::EventLoop;
use crate::fiber::Cancelled;
use crate::http::client::Client;
use crate::http::cookies::Jar;
use crate::js::class::Classes;
use crate::script::Script;

/// Which code of the script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Top-level code.
    Init,
    /// `setup`.
    Setup,
    /// An iteration.
    Iteration,
    /// `teardown`.
    Teardown,
    /// `handleSummary`.
    Summary,
}

/// A call of `exec.test.abort`.
#[derive(Debug, Clone)]
pub(crate) struct Abortion {
    /// `test aborted: why`
    pub(crate) said: String,
    /// ` at name (file:///x.js:1:2)`, or nothing.
    pub(crate) place: String,
}

/// The state of one VU. Stays where it is while its realm exists.
pub(crate) struct VuState {
    pub(crate) ids: VuIds,
    pub(crate) recorder: Recorder,
    pub(crate) run: Arc<RunState>,
    pub(crate) logger: Logger,
    pub(crate) script: Arc<Script>,
    pub(crate) phase: Cell<Phase>,
    pub(crate) activation: RefCell<Option<Rc<Activation>>>,
    pub(crate) iteration: Cell<Option<Iteration>>,
    pub(crate) interrupt: RefCell<Interrupt>,
    /// `exec.test.abort` was called.
    pub(crate) aborted: RefCell<Option<Abortion>>,
    pub(crate) tagging: Tagging,
    pub(crate) events: EventLoop,
    pub(crate) classes: Rc<Classes>,
    /// What `require` has given so far, by full name.
    pub(crate) required: RefCell<HashMap<String, Persistent<Value<'static>>>>,
    pub(crate) client: Rc<Client>,
    pub(crate) jar: RefCell<Rc<Jar>>,
    /// Statuses that count as success; `None` switches `http_req_failed` off.
    pub(crate) expected: RefCell<Option<crate::http::expected::Expected>>,
    pub(crate) random: RefCell<Option<rand::rngs::StdRng>>,
    /// Polls of the engine since the VU was made.
    pub(crate) polls: Cell<u32>,
    /// How often `__ENV` was set.
    pub(crate) environments: Cell<u32>,
}

/// The tags of samples now.
pub(crate) struct Tagging {
    /// Scenario and `vu.metrics.tags`, without the group.
    base: RefCell<TagSet>,
    /// `base` with the group.
    current: RefCell<TagSet>,
    group: RefCell<String>,
    pub(crate) metadata: RefCell<Option<Arc<Tags>>>,
}

impl VuState {
    /// A VU that has not run its init code.
    pub(crate) fn new(context: VuContext, script: Arc<Script>, classes: Rc<Classes>) -> Self {
        let root = context.recorder.root();
        let network = script.network(context.run.options());
        let run = Arc::clone(&context.run);
        let client = Rc::new(Client::new(network, context.ids.in_instance, run));
        Self {
            ids: context.ids,
            tagging: Tagging::new(root),
            recorder: context.recorder,
            run: context.run,
            logger: context.logger,
            script,
            phase: Cell::new(Phase::Init),
            activation: RefCell::default(),
            iteration: Cell::default(),
            interrupt: RefCell::default(),
            aborted: RefCell::default(),
            events: EventLoop::default(),
            classes,
            required: RefCell::default(),
            client,
            jar: RefCell::default(),
            expected: RefCell::new(Some(crate::http::expected::Expected::default())),
            random: RefCell::default(),
            polls: Cell::default(),
            environments: Cell::default(),
        }
    }

    /// Whether the code that runs shall end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.borrow().is_cancelled() || self.aborted.borrow().is_some()
    }

    /// Waits on the VU's fiber.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, Cancelled> {
        self.events.wait(future)
    }

    /// Whether top-level code runs.
    pub(crate) fn is_init(&self) -> bool {
        self.phase.get() == Phase::Init
    }

    /// Counts a sample with the tags of now.
    pub(crate) fn record(&self, metric: MetricId, value: f64) {
        let tags = self.tagging.current.borrow();
        self.record_at(metric, &tags, now(), value);
    }

    /// Counts a sample.
    pub(crate) fn record_at(&self, metric: MetricId, tags: &TagSet, at: UnixNanos, value: f64) {
        if self.phase.get() == Phase::Summary {
            return;
        }
        let metadata = self.tagging.metadata.borrow();
        self.recorder
            .record_with(metric, tags, metadata.as_ref(), at, value);
    }

    /// The tags of now.
    pub(crate) fn tags(&self) -> TagSet {
        self.tagging.current.borrow().clone()
    }

    /// Sets what all samples carry, as for a new scenario; the group is the root.
    pub(crate) fn set_base(&self, base: TagSet) {
        *self.tagging.base.borrow_mut() = base;
        self.enter_group(String::new());
    }

    /// The tags of samples outside of groups.
    pub(crate) fn base(&self) -> TagSet {
        self.tagging.base.borrow().clone()
    }

    /// Changes the base, keeps the group.
    pub(crate) fn replace_base(&self, base: TagSet) {
        let group = self.group();
        *self.tagging.base.borrow_mut() = base;
        self.enter_group(group);
    }

    /// The path of the group that runs, as `::outer::inner`; empty at the root.
    pub(crate) fn group(&self) -> String {
        self.tagging.group.borrow().clone()
    }

    /// Changes the group to the root.
    pub(crate) fn leave_groups(&self) {
        if !self.tagging.group.borrow().is_empty() {
            self.enter_group(String::new());
        }
    }

    /// Changes the group.
    pub(crate) fn enter_group(&self, path: String) {
        let base = self.tagging.base.borrow().clone();
        let tags = if self.recorder.wants(SystemTag::Group) {
            self.recorder.extend(&base, &[("group", &path)])
        } else {
            base
        };
        *self.tagging.current.borrow_mut() = tags;
        *self.tagging.group.borrow_mut() = path;
    }
}

impl Tagging {
    fn new(root: TagSet) -> Self {
        Self {
            base: RefCell::new(root.clone()),
            current: RefCell::new(root),
            group: RefCell::default(),
            metadata: RefCell::default(),
        }
    }
}

/// The time, for samples.
pub(crate) fn now() -> UnixNanos {
    SystemTime::now().into()
}
