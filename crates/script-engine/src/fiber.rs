//! A separate stack for a script: k6's API blocks, but a virtual user must not block its thread.
//!
//! A [`Fiber`] runs synchronous code on a small stack that can be left in the middle. Code on it waits with
//! [`wait`]: the fiber is suspended, and polling [`Fiber::run`] polls the awaited future, on the worker's own
//! stack. The future stays where it is, on the fiber's stack, so waiting allocates nothing, and TLS or DNS code
//! never runs on the small stack.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::task::{Context, Poll};

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::stack::{Extent, FiberStack};

/// The future that a suspended fiber waits for. Points into the fiber's stack, valid until it is resumed.
type Awaited = NonNull<dyn Future<Output = ()>>;
/// The job of a fiber. Points into the frame of [`Fiber::run`], valid until it reports `Idle`.
type Job = NonNull<dyn FnMut()>;

enum Input {
    Run(Job),
    Ready,
    Cancelled,
    Quit,
}

enum Step {
    Idle,
    Wait(Awaited),
}

type Yields = Yielder<Input, Step>;

thread_local! {
    /// The fiber that runs on this thread now.
    static CURRENT: Cell<Option<NonNull<Yields>>> = const { Cell::new(None) };
}

/// The wait was abandoned because the job has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// Called whenever a fiber starts or stops running on its thread.
pub trait Switch {
    /// The fiber is about to run.
    fn enter(&self);
    /// The fiber is suspended, or its job is over.
    fn leave(&self);
}

impl Switch for () {
    fn enter(&self) {}
    fn leave(&self) {}
}

/// A stack and the code on it.
pub struct Fiber {
    coroutine: Coroutine<Input, Step, (), FiberStack>,
    yielder: Option<NonNull<Yields>>,
    extent: Extent,
}

impl Fiber {
    /// A fiber with a stack of `size` bytes, or of fewer if the system has no more; pages are committed when
    /// they are touched, and released when they are no longer needed.
    pub fn new(size: usize) -> io::Result<Self> {
        let stack = FiberStack::new(size)?;
        let extent = stack.extent();
        let coroutine = Coroutine::with_stack(stack, body);
        Ok(Self {
            coroutine,
            yielder: None,
            extent,
        })
    }

    /// The lowest usable address of its stack.
    pub fn lowest(&self) -> usize {
        self.extent.lowest()
    }

    /// Runs `job` on this fiber. When `cancelled` completes, or when the future is dropped, every
    /// wait of the job fails with [`Cancelled`] and the job is expected to return soon.
    pub async fn run<R>(
        &mut self,
        cancelled: Pin<&mut dyn Future<Output = ()>>,
        switch: &dyn Switch,
        job: impl FnOnce() -> R,
    ) -> R {
        let mut job = Some(job);
        let mut result = None;
        let mut once = || {
            if let Some(job) = job.take() {
                result = Some(job());
            }
        };
        let once: &mut dyn FnMut() = &mut once;
        // SAFETY: only the lifetime is erased. The job is over when the fiber reports `Idle`, and
        // `Running` does not go away before that, its `drop` included.
        let erased: Job = unsafe { std::mem::transmute(NonNull::from(once)) };
        let mut running = Running {
            fiber: self,
            next: Some(Input::Run(erased)),
            awaited: None,
            is_cancelled: false,
            switch,
        };
        let mut cancelled = cancelled;
        poll_fn(|cx| running.poll(cx, cancelled.as_mut())).await;
        drop(running);
        // SAFETY: the fiber is idle: nothing but its own loop is on its stack.
        unsafe { self.extent.trim() };
        result.expect("a job that has ended has a result")
    }

    fn resume(&mut self, input: Input) -> Step {
        let before = CURRENT.replace(self.yielder);
        let outcome = self.coroutine.resume(input);
        let mine = CURRENT.replace(before);
        if self.yielder.is_none() {
            self.yielder = mine;
        }
        match outcome {
            CoroutineResult::Yield(step) => step,
            CoroutineResult::Return(()) => Step::Idle,
        }
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        if self.coroutine.started() && !self.coroutine.done() {
            self.resume(Input::Quit);
        }
    }
}

fn body(yielder: &Yields, first: Input) {
    CURRENT.set(Some(NonNull::from(yielder)));
    let mut input = first;
    loop {
        match input {
            Input::Run(mut job) => {
                // SAFETY: `Fiber::run` keeps the job alive until this fiber reports `Idle`.
                unsafe { job.as_mut()() };
                input = yielder.suspend(Step::Idle);
            }
            Input::Quit | Input::Ready | Input::Cancelled => return,
        }
    }
}

/// A running job; dropping this ends it.
struct Running<'a> {
    fiber: &'a mut Fiber,
    next: Option<Input>,
    awaited: Option<Awaited>,
    is_cancelled: bool,
    switch: &'a dyn Switch,
}

impl Running<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut cancelled: Pin<&mut dyn Future<Output = ()>>,
    ) -> Poll<()> {
        loop {
            let input = match self.next.take().or_else(|| self.ready(cx)) {
                Some(input) => input,
                None if cancelled.as_mut().poll(cx).is_pending() => return Poll::Pending,
                None => {
                    self.is_cancelled = true;
                    Input::Cancelled
                }
            };
            self.awaited = None;
            match self.resume(input) {
                Step::Idle => return Poll::Ready(()),
                Step::Wait(awaited) => self.awaited = Some(awaited),
            }
        }
    }

    fn resume(&mut self, input: Input) -> Step {
        self.switch.enter();
        let step = self.fiber.resume(input);
        self.switch.leave();
        step
    }

    fn ready(&mut self, cx: &mut Context<'_>) -> Option<Input> {
        let mut awaited = self.awaited?;
        if self.is_cancelled {
            return Some(Input::Cancelled);
        }
        // SAFETY: the future is pinned in the frame of `wait`, on the suspended fiber's stack, which
        // does not move and is not left before the fiber is resumed.
        let future = unsafe { Pin::new_unchecked(awaited.as_mut()) };
        future.poll(cx).is_ready().then_some(Input::Ready)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        while self.awaited.take().is_some() {
            if let Step::Wait(next) = self.resume(Input::Cancelled) {
                self.awaited = Some(next);
            }
        }
    }
}

/// A future that is made, stored and dropped on the stack of the poller. A large one, and its copies while it
/// is made, would take room on the small stack of a fiber, whose touched pages stay committed.
pub fn apart<F: Future>(make: impl FnOnce() -> F + Unpin) -> impl Future<Output = F::Output> {
    let (mut make, mut running) = (Some(make), None);
    poll_fn(move |cx| {
        if let Some(make) = make.take() {
            running = Some(Box::pin(make()));
        }
        let Some(future) = &mut running else {
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            running = None;
        }
        polled
    })
}

/// Waits for `future` on the current fiber: the thread does other work meanwhile.
///
/// # Errors
/// [`Cancelled`] when the job has to end, and when there is no fiber; the future is dropped.
pub fn wait<T>(future: impl Future<Output = T>) -> Result<T, Cancelled> {
    let yielder = CURRENT.get().ok_or(Cancelled)?;
    let mut result = None;
    let answer = {
        let slot = &mut result;
        let mut waiting = pin!(async move { *slot = Some(future.await) });
        let erased: Pin<&mut dyn Future<Output = ()>> = waiting.as_mut();
        // SAFETY: the pointer is used only while this frame is suspended below, and the pinned
        // future is not moved.
        let awaited = unsafe { NonNull::from(erased.get_unchecked_mut()) };
        // SAFETY: only the lifetime is erased, see above.
        let awaited: Awaited = unsafe {
            std::mem::transmute::<NonNull<dyn Future<Output = ()> + '_>, Awaited>(awaited)
        };
        // SAFETY: the yielder lives as long as the fiber that runs this code.
        unsafe { yielder.as_ref() }.suspend(Step::Wait(awaited))
    };
    match (answer, result) {
        (Input::Ready, Some(value)) => Ok(value),
        _ => Err(Cancelled),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    const STACK: usize = 64 * 1024;

    async fn run<R>(job: impl FnOnce() -> R) -> R {
        let mut fiber = Fiber::new(STACK).expect("memory");
        fiber.run(pin!(pending()), &(), job).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_returns_the_output_of_the_future() {
        let sum = run(|| {
            let a = wait(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                20
            });
            a.unwrap_or(0) + wait(ready(22)).unwrap_or(0)
        });
        assert_eq!(sum.await, 42);
    }

    #[tokio::test(start_paused = true)]
    async fn fibers_of_one_thread_wait_at_the_same_time() {
        let begin = tokio::time::Instant::now();
        let one = || run(|| wait(tokio::time::sleep(Duration::from_secs(1))));
        let all = futures_util::future::join_all((0..50).map(|_| one())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(begin.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_ends_every_wait_of_the_job() {
        let mut fiber = Fiber::new(STACK).expect("memory");
        let soon = pin!(tokio::time::sleep(Duration::from_millis(5)));
        let both = fiber
            .run(soon, &(), || {
                (wait(pending::<()>()), wait(ready(1)).is_ok())
            })
            .await;
        assert_eq!(both.0, Err(Cancelled));
    }

    #[tokio::test]
    async fn a_dropped_run_unwinds_and_the_fiber_is_usable_again() {
        let mut fiber = Fiber::new(STACK).expect("memory");
        let ended = Cell::new(false);
        {
            let never = pin!(pending());
            let run = fiber.run(never, &(), || {
                let _ = wait(pending::<()>());
                ended.set(true);
            });
            let run = pin!(run);
            assert!(futures_util::poll!(run).is_pending());
        }
        assert!(ended.get());
        assert_eq!(fiber.run(pin!(pending()), &(), || 7).await, 7);
    }
}
