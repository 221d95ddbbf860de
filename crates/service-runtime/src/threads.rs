//! Threads that each run a runtime of their own: a connection and all that is done for it stay on
//! one of them, and nobody has to be woken elsewhere.

use std::cell::Cell;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};

use crate::serve::Shutdown;

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

/// Which of the [`Threads`] this is, from 1; 0 on every other thread. What is kept per thread has
/// `Threads::count() + 1` places.
pub fn place() -> usize {
    PLACE.get()
}

/// As many threads as this process can run at once.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Ends its threads, and what still runs on them, when it is dropped.
#[derive(Debug)]
pub struct Threads {
    all: Vec<One>,
    end: Shutdown,
}

#[derive(Debug)]
struct One {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// A thread that was chosen for a connection, and counts it until this is dropped.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Threads {
    /// None: connections are served where they are accepted.
    pub fn none() -> Self {
        Self {
            all: Vec::new(),
            end: Shutdown::new(),
        }
    }

    /// `count` threads of this name and a number.
    ///
    /// # Errors
    /// The system gives no more threads or file descriptors.
    pub fn start(count: usize, name: &str) -> io::Result<Self> {
        let mut threads = Self::none();
        for place in 1..=count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            threads.all.push(One {
                runtime: runtime.handle().clone(),
                connections: Arc::default(),
            });
            let end = threads.end.clone();
            let thread = thread::Builder::new().name(format!("{name}-{place}"));
            thread.spawn(move || {
                PLACE.set(place);
                runtime.block_on(end.cancelled());
                runtime.shutdown_background();
            })?;
        }
        Ok(threads)
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The one with the fewest connections; `None` where there are no threads.
    pub(crate) fn choose(&self) -> Option<Chosen> {
        let count = |one: &&One| one.connections.load(Ordering::Relaxed);
        let one = self.all.iter().min_by_key(count)?;
        one.connections.fetch_add(1, Ordering::Relaxed);
        Some(Chosen {
            runtime: one.runtime.clone(),
            connections: one.connections.clone(),
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
