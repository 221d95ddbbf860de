//! The workers of a run, and a spare one for when all of them were abandoned.

use std::cell::OnceCell;
use std::io;
use std::ops::Deref;
use std::rc::Rc;

use crate::worker::Worker;

/// The workers on which VUs run, and the spare one that replaces them.
pub(crate) struct WorkerPool {
    workers: Rc<Vec<Worker>>,
    spare: OnceCell<Worker>,
}

impl Deref for WorkerPool {
    type Target = Rc<Vec<Worker>>;

    fn deref(&self) -> &Self::Target {
        &self.workers
    }
}

impl WorkerPool {
    pub(crate) fn new(workers: Vec<Worker>) -> Self {
        Self {
            workers: Rc::new(workers),
            spare: OnceCell::new(),
        }
    }

    /// A worker that can run a function of the script: the first that was not abandoned, or else one that
    /// `start` makes.
    ///
    /// # Errors
    /// The spare worker cannot be made.
    pub(crate) fn able(&self, start: impl FnOnce() -> io::Result<Worker>) -> io::Result<&Worker> {
        if let Some(able) = self.all().find(|worker| !worker.left().is_cancelled()) {
            return Ok(able);
        }
        let made = start()?;
        Ok(self.spare.get_or_init(|| made))
    }

    /// All workers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().chain(self.spare.get())
    }

    /// Ends all of them. Workers with another owner end when that owner drops them.
    pub(crate) fn end(self) {
        if let Some(spare) = self.spare.into_inner() {
            spare.end();
        }
        if let Ok(workers) = Rc::try_unwrap(self.workers) {
            workers.into_iter().for_each(Worker::end);
        }
    }
}
