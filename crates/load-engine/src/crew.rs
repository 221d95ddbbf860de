//! The workers of a run, and one more where all of them were left behind.

use std::cell::OnceCell;
use std::io;
use std::ops::Deref;
use std::rc::Rc;

use crate::worker::Worker;

/// The workers on which VUs run, and who takes over from them.
pub(crate) struct Crew {
    workers: Rc<Vec<Worker>>,
    spare: OnceCell<Worker>,
}

impl Deref for Crew {
    type Target = Rc<Vec<Worker>>;

    fn deref(&self) -> &Self::Target {
        &self.workers
    }
}

impl Crew {
    pub(crate) fn new(workers: Vec<Worker>) -> Self {
        Self {
            workers: Rc::new(workers),
            spare: OnceCell::new(),
        }
    }

    /// A worker that can run a function of the script: the first that was not left behind, otherwise one
    /// that `start` makes.
    ///
    /// # Errors
    /// When it cannot be made.
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

    /// Ends all of them. Those that somebody else holds end when he lets go of them.
    pub(crate) fn end(self) {
        if let Some(spare) = self.spare.into_inner() {
            spare.end();
        }
        if let Ok(workers) = Rc::try_unwrap(self.workers) {
            workers.into_iter().for_each(Worker::end);
        }
    }
}
