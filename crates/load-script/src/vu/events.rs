//! The event loop of one VU: timers, and native work that calls the script when it is done.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use script_engine::fiber::{self, Cancelled};
use script_engine::throw::Throw;
use script_engine::{Ctx, Function, Persistent, Value};
use tokio::time::{Instant, sleep_until};

/// The action in the script when native work is done.
pub(crate) type Event = Box<dyn FnOnce(&Ctx<'_>) -> Result<(), Throw>>;

/// The pending work of the VU besides the running code.
#[derive(Default)]
pub(crate) struct EventLoop {
    work: RefCell<FuturesUnordered<LocalBoxFuture<'static, Event>>>,
    done: RefCell<VecDeque<Event>>,
    timers: RefCell<BTreeMap<Due, Timer>>,
    last_timer: Cell<u64>,
    rejections: RefCell<HashMap<usize, Persistent<Value<'static>>>>,
    open: RefCell<BTreeMap<u64, Event>>,
    last_open: Cell<u64>,
}

/// The time and the number of a timer; those without a time precede all others.
type Due = (Option<Instant>, u64);

struct Timer {
    callback: Persistent<Function<'static>>,
    arguments: Vec<Persistent<Value<'static>>>,
    period: Option<Duration>,
}

impl EventLoop {
    /// Starts native work; its event runs on the event loop.
    pub(crate) fn start(&self, work: impl Future<Output = Event> + 'static) {
        self.work.borrow().push(Box::pin(work));
    }

    /// Waits for `future` while pending work continues; its events are queued for later.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, Cancelled> {
        if self.work.borrow().is_empty() {
            return fiber::wait(future);
        }
        let mut future = pin!(future);
        fiber::wait(poll_fn(|cx| {
            let ready = future.as_mut().poll(cx);
            while let Poll::Ready(Some(event)) = self.work.borrow_mut().poll_next_unpin(cx) {
                self.done.borrow_mut().push_back(event);
            }
            ready
        }))
    }

    /// Sets a single or repeated timer; its number clears it. A timer without a delay precedes others.
    pub(crate) fn set_timer<'js>(
        &self,
        function: &Function<'js>,
        arguments: Vec<Value<'js>>,
        delay: Option<Duration>,
        repeats: bool,
    ) -> u64 {
        let ctx = function.ctx();
        let number = self.last_timer.get() + 1;
        self.last_timer.set(number);
        let timer = Timer {
            callback: Persistent::save(ctx, function.clone()),
            arguments: arguments
                .into_iter()
                .map(|value| Persistent::save(ctx, value))
                .collect(),
            period: repeats.then(|| delay.unwrap_or_default().max(Duration::from_millis(1))),
        };
        self.timers
            .borrow_mut()
            .insert((delay.map(|delay| Instant::now() + delay), number), timer);
        number
    }

    /// Clears a timer, if it still exists.
    pub(crate) fn clear_timer(&self, number: u64) {
        self.timers.borrow_mut().retain(|key, _| key.1 != number);
    }

    /// Records a connection that the script has opened. When an exception ends the code before the
    /// connection, `farewell` reports this to the script. The number is for [`closed`](Self::closed).
    pub(crate) fn opened(&self, farewell: Event) -> u64 {
        let number = self.last_open.get() + 1;
        self.last_open.set(number);
        self.open.borrow_mut().insert(number, farewell);
        number
    }

    /// Records the end of the connection.
    pub(crate) fn closed(&self, number: u64) {
        self.open.borrow_mut().remove(&number);
    }

    /// Takes the farewells of all open connections, the oldest first.
    pub(crate) fn take_farewells(&self) -> impl Iterator<Item = Event> + use<> {
        std::mem::take(&mut *self.open.borrow_mut()).into_values()
    }

    /// Whether no work is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.done.borrow().is_empty()
            && self.work.borrow().is_empty()
            && self.timers.borrow().is_empty()
    }

    /// Waits for the next event and runs its action in the script.
    pub(crate) fn turn(&self, ctx: &Ctx<'_>) -> Result<(), Throw> {
        let ready = self.done.borrow_mut().pop_front();
        if let Some(event) = ready {
            return event(ctx);
        }
        let due = self.timers.borrow().keys().next().copied();
        let due = match due {
            Some((None, _)) => return self.fire(ctx),
            Some((at, _)) => at,
            None => None,
        };
        match fiber::wait(self.next(due))? {
            Some(event) => event(ctx),
            None => self.fire(ctx),
        }
    }

    async fn next(&self, due: Option<Instant>) -> Option<Event> {
        let mut timer = pin!(async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|cx| {
            if let Poll::Ready(Some(event)) = self.work.borrow_mut().poll_next_unpin(cx) {
                return Poll::Ready(Some(event));
            }
            Pin::new(&mut timer).poll(cx).map(|()| None)
        })
        .await
    }

    fn fire(&self, ctx: &Ctx<'_>) -> Result<(), Throw> {
        let Some(((at, number), timer)) = self.timers.borrow_mut().pop_first() else {
            return Ok(());
        };
        let callback = timer.callback.clone().restore(ctx)?;
        let mut arguments = script_engine::Args::new(ctx.clone(), timer.arguments.len());
        for argument in &timer.arguments {
            arguments.push_arg(argument.clone().restore(ctx)?)?;
        }
        if let Some(period) = timer.period {
            self.timers.borrow_mut().insert(
                (Some(at.unwrap_or_else(Instant::now) + period), number),
                timer,
            );
        }
        Ok(callback.call_arg::<()>(arguments)?)
    }

    /// Drops all pending work.
    pub(crate) fn clear(&self) {
        // There is rarely any, and a new set costs more than a check.
        if !self.work.borrow().is_empty() {
            drop(std::mem::take(&mut *self.work.borrow_mut()));
        }
        self.done.borrow_mut().clear();
        self.rejections.borrow_mut().clear();
        self.open.borrow_mut().clear();
        self.timers.borrow_mut().clear();
    }

    /// Drops all timers. Returns number and function of each.
    pub(crate) fn clear_timers(&self) -> Vec<(u64, &'static str)> {
        let timers = std::mem::take(&mut *self.timers.borrow_mut());
        let function = |timer: &Timer| match timer.period {
            None => "setTimeout",
            Some(_) => "setInterval",
        };
        let mut ended: Vec<_> = timers
            .iter()
            .map(|(due, timer)| (due.1, function(timer)))
            .collect();
        ended.sort_unstable();
        ended
    }

    /// Called when a promise is rejected without a handler, or such a promise has now got a handler.
    pub(crate) fn note_rejection(&self, promise: usize, reason: Value<'_>, is_handled: bool) {
        let mut rejections = self.rejections.borrow_mut();
        if is_handled {
            rejections.remove(&promise);
        } else {
            let ctx = reason.ctx().clone();
            rejections.insert(promise, Persistent::save(&ctx, reason));
        }
    }

    /// Takes the reason of a rejection that was not handled in time.
    pub(crate) fn take_rejection<'js>(&self, ctx: &Ctx<'js>) -> Option<Value<'js>> {
        let mut rejections = self.rejections.borrow_mut();
        let first = rejections.keys().next().copied()?;
        let reason = rejections.remove(&first)?;
        rejections.clear();
        reason.restore(ctx).ok()
    }
}
