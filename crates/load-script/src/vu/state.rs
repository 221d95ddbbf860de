//! The state of a VU for its native functions.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use http_client::client::{Client, Note};
use http_client::cookies::Jar;
use load_engine::health::OwnLimit;
use load_engine::log::Logger;
use load_engine::{Activation, Interrupt, Iteration, RunState, VuContext, VuIds};
use load_metrics::{MetricId, Recorder, SystemTag, TagSet, Tags, UnixNanos};
use script_engine::exception;
use script_engine::fiber::Cancelled;
use script_engine::native::Call;
use script_engine::throw::Throw;
use script_engine::{Ctx, Persistent, Value, host};

use super::events::EventLoop;
use crate::script::Script;

/// The part of the script that runs.
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

/// The end of the test by the script: `exec.test.abort`, or a request for a browser.
#[derive(Debug, Clone)]
pub(crate) struct Abort {
    /// `test aborted: why`
    pub(crate) said: String,
    /// ` at name (file:///x.js:1:2)`, or nothing.
    pub(crate) place: String,
}

/// The state of one VU.
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
    /// The script has ended the test.
    pub(crate) aborted: RefCell<Option<Abort>>,
    pub(crate) tagging: Tagging,
    pub(crate) events: EventLoop,
    /// The results of `require` so far, by full name.
    pub(crate) required: RefCell<HashMap<String, Persistent<Value<'static>>>>,
    pub(crate) client: Rc<Client>,
    pub(crate) jar: RefCell<Rc<Jar>>,
    /// Statuses that count as success; `None` switches `http_req_failed` off.
    pub(crate) expected: RefCell<Option<http_client::expected::Expected>>,
    pub(crate) random: RefCell<Option<rand::rngs::StdRng>>,
    /// The number of times that `__ENV` was set.
    pub(crate) environments: Cell<u32>,
}

/// The current tags of samples.
pub(crate) struct Tagging {
    /// Scenario and `vu.metrics.tags`, without the group.
    base: RefCell<TagSet>,
    /// `base` with the group.
    current: RefCell<TagSet>,
    group: RefCell<String>,
    pub(crate) metadata: RefCell<Option<Arc<Tags>>>,
}

impl VuState {
    /// The state of a VU that has not run its init code.
    pub(crate) fn new(context: VuContext, script: Arc<Script>) -> Self {
        let root = context.recorder.root();
        let network = script.network(context.run.options());
        let run = Arc::clone(&context.run);
        let note = Rc::new(move |note| match note {
            Note::Read { late } => run.health.note_read(late),
            Note::OwnLimit(limit) => run.health.note_own_limit(match limit {
                http_client::failure::OwnLimit::Descriptors => OwnLimit::Descriptors,
                http_client::failure::OwnLimit::Ports => OwnLimit::Ports,
            }),
        });
        let client = Rc::new(Client::new(network, context.ids.in_instance, note));
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
            required: RefCell::default(),
            client,
            jar: RefCell::default(),
            expected: RefCell::new(Some(http_client::expected::Expected::default())),
            random: RefCell::default(),
            environments: Cell::default(),
        }
    }

    /// Ends the test at the place that script code has reached; the iteration ends with the returned error.
    pub(crate) fn abort(&self, ctx: &Ctx<'_>, said: String) -> Throw {
        let place = exception::place(ctx).map_or_else(String::new, |place| format!(" at {place}"));
        *self.aborted.borrow_mut() = Some(Abort { said, place });
        Throw::Interrupted
    }

    /// Whether the running code has to end.
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

    /// Records a sample with the current tags.
    pub(crate) fn record(&self, metric: MetricId, value: f64) {
        let tags = self.tagging.current.borrow();
        self.record_at(metric, &tags, now(), value);
    }

    /// Records a sample. As in k6, code that was interrupted by the end of its time records nothing more.
    pub(crate) fn record_at(&self, metric: MetricId, tags: &TagSet, at: UnixNanos, value: f64) {
        if self.phase.get() == Phase::Summary || self.interrupt.borrow().is_cancelled() {
            return;
        }
        let metadata = self.tagging.metadata.borrow();
        self.recorder
            .record_with(metric, tags, metadata.as_ref(), at, value);
    }

    /// The current tags.
    pub(crate) fn tags(&self) -> TagSet {
        self.tagging.current.borrow().clone()
    }

    /// Sets the tags and metadata of all samples for a new scenario; the group becomes the root.
    pub(crate) fn set_base(&self, base: TagSet) {
        *self.tagging.base.borrow_mut() = base;
        self.enter_group(String::new());
    }

    /// The tags of samples outside groups.
    pub(crate) fn base(&self) -> TagSet {
        self.tagging.base.borrow().clone()
    }

    /// Changes the base and keeps the group.
    pub(crate) fn replace_base(&self, base: TagSet) {
        let group = self.group();
        *self.tagging.base.borrow_mut() = base;
        self.enter_group(group);
    }

    /// The path of the current group, as `::outer::inner`; empty at the root.
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

/// The VU whose code runs in this realm.
pub(crate) fn state<'js>(ctx: &Ctx<'js>) -> &'js VuState {
    host::host(ctx)
}

/// Access to the calling VU from native functions.
pub(crate) trait Caller<'js> {
    /// The VU that calls.
    fn vu(&self) -> &'js VuState;
}

impl<'js> Caller<'js> for Call<'_, 'js> {
    fn vu(&self) -> &'js VuState {
        state(self.ctx)
    }
}

/// The current time for samples.
pub(crate) fn now() -> UnixNanos {
    SystemTime::now().into()
}
