//! The VUs that exist, and their use by scenarios.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use tokio::sync::{Notify, mpsc};

use crate::job::Job;
use crate::script::ScriptError;
use crate::segment::Stripe;
use crate::state::RunState;
use crate::vu::VuIds;
use crate::worker::{Command, Worker};

/// A VU that is free, or lent to an executor.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    /// Boxed, since a channel allocates room for many messages with its first one.
    pub(crate) jobs: mpsc::Sender<Box<Job>>,
    /// The worker that owns it.
    pub(crate) worker: usize,
}

/// All free VUs in the order in which they became free.
pub(crate) struct Pool {
    workers: Rc<Vec<Worker>>,
    free: RefCell<VecDeque<Handle>>,
    returned: Notify,
    made: RefCell<u64>,
    stripe: Stripe,
}

impl Pool {
    pub(crate) fn new(workers: Rc<Vec<Worker>>, stripe: Stripe) -> Self {
        let (free, returned) = (RefCell::default(), Notify::new());
        Self {
            workers,
            free,
            returned,
            made: RefCell::new(0),
            stripe,
        }
    }

    /// Makes `count` VUs on all workers at the same time.
    ///
    /// # Errors
    /// The first error of a VU, with its number.
    pub(crate) async fn fill(self: &Rc<Self>, count: u64) -> Result<(), (u64, ScriptError)> {
        let mut making = tokio::task::JoinSet::new();
        let mut made: Vec<(u64, Handle)> = Vec::new();
        for _ in 0..count {
            let number = self.next_number();
            let pool = Rc::clone(self);
            making.spawn_local(async move { (number, pool.make(number).await) });
        }
        while let Some(done) = making.join_next().await {
            let Ok((number, handle)) = done else { continue };
            made.push((number, handle.map_err(|error| (number, error))?));
        }
        made.sort_by_key(|(number, _)| *number);
        self.free
            .borrow_mut()
            .extend(made.into_iter().map(|(_, handle)| handle));
        Ok(())
    }

    /// Makes one more VU.
    ///
    /// # Errors
    /// Its init code failed.
    pub(crate) async fn add(&self) -> Result<Handle, ScriptError> {
        self.make(self.next_number()).await
    }

    /// Lends a VU; waits when all are lent.
    pub(crate) async fn take(&self) -> Handle {
        loop {
            let returned = self.returned.notified();
            if let Some(handle) = self.free.borrow_mut().pop_front() {
                return handle;
            }
            returned.await;
        }
    }

    /// Lends a VU if one is free.
    pub(crate) fn take_free(&self) -> Option<Handle> {
        self.free.borrow_mut().pop_front()
    }

    /// Takes a VU back.
    pub(crate) fn give_back(&self, handle: Handle) {
        self.free.borrow_mut().push_back(handle);
        self.returned.notify_one();
    }

    /// Discards a VU that is no longer needed.
    pub(crate) fn discard(&self, handle: Handle, run: &RunState) {
        // Its task ends when the last sender of jobs is dropped.
        drop(handle);
        run.instance.vus_initialized.fetch_sub(1, Ordering::Relaxed);
    }

    fn next_number(&self) -> u64 {
        *self.made.borrow_mut() += 1;
        *self.made.borrow()
    }

    async fn make(&self, number: u64) -> Result<Handle, ScriptError> {
        let workers = self.workers.len() as u64;
        let worker = usize::try_from((number - 1) % workers).expect("smaller than a length");
        let in_test = self
            .stripe
            .nth(number - 1)
            .map_or(number, |index| index + 1);
        let ids = VuIds {
            in_instance: number,
            in_test,
        };
        let made = self.workers[worker]
            .ask(|reply| Command::Make { ids, reply })
            .await;
        made.unwrap_or(Err(ScriptError::Interrupted))
            .map(|jobs| Handle { jobs, worker })
    }
}
