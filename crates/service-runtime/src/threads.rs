//! Threads that each run their own runtime: a connection and all work for it stay on one of them, without
//! wake-ups of other threads.

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

/// The number of this thread among the [`Threads`], from 1; 0 on every other thread. Per-thread state has
/// `Threads::count() + 1` places.
pub fn place() -> usize {
    PLACE.get()
}

/// As many threads as this process can run at once.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Dropping it ends its threads and the tasks on them.
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

/// A thread that was chosen for a connection, which counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Threads {
    /// No threads: connections are served where they are accepted.
    pub fn none() -> Self {
        Self {
            all: Vec::new(),
            end: Shutdown::new(),
        }
    }

    /// `count` threads with this name and a number.
    ///
    /// # Errors
    /// The system has no more threads or file descriptors.
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

    /// The thread with the fewest connections; `None` without threads.
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
