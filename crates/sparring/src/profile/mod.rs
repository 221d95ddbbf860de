//! `--profile FILE`: a profile of this process' processor time, as folded stacks.
//!
//! A timer of processor time interrupts a busy thread, 99 times per second for each busy core. The signal handler
//! only records the registers and lets the kernel copy the top of the stack into a file in memory; a separate
//! thread walks the copies. So the handler does not touch anything that the interrupted code may hold or have half
//! changed: the locks of the allocator and the loader, the stacks of scripts, or pages that the script engine
//! protects. Samples that do not fit are counted, never waited for.

mod folded;
mod modules;
mod sampler;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use modules::Walker;
use sampler::Sampler;

/// The interval between checks for copies: well below the time in which all slots fill up.
const EVERY: Duration = Duration::from_millis(20);

/// A stack from the outermost frame inwards, below the name of its thread.
type Stacks = HashMap<(String, Vec<u64>), u64>;

/// A profile that is being recorded.
#[derive(Debug)]
pub struct Profile {
    path: PathBuf,
    over: Arc<AtomicBool>,
    walking: JoinHandle<Taken>,
}

/// The recorded samples.
struct Taken {
    stacks: Stacks,
    walker: Walker,
    /// The number of samples without room or without a stack.
    lost: u64,
}

/// The result of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub samples: u64,
    pub lost: u64,
}

impl Profile {
    /// Starts. The file is made at once, so that an invalid path is reported before the run.
    ///
    /// # Errors
    /// The file cannot be made, the system has no such timer, or another profile is being recorded.
    pub fn start(path: &Path) -> io::Result<Self> {
        std::fs::write(path, "")?;
        let sampler = Sampler::start()?;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let walking = std::thread::Builder::new()
            .name("profile".to_owned())
            .spawn(move || walk(sampler, &is_over))?;
        Ok(Self {
            path: path.to_owned(),
            over,
            walking,
        })
    }

    /// Stops, and writes one line for each stack: the thread and the frames from the outermost inwards, separated
    /// by semicolons, and the number of samples.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> io::Result<Written> {
        self.over.store(true, Ordering::Release);
        let panicked = |_| io::Error::other("the profiler's thread panicked");
        let taken = self.walking.join().map_err(panicked)?;
        let samples = taken.stacks.values().sum();
        let text = folded::text(&taken.stacks, &taken.walker);
        std::fs::write(&self.path, text)?;
        Ok(Written {
            samples,
            lost: taken.lost,
        })
    }
}

fn walk(mut sampler: Sampler, over: &AtomicBool) -> Taken {
    let mut walker = Walker::default();
    let mut stacks = Stacks::new();
    let mut lost = 0;
    loop {
        let is_over = over.load(Ordering::Acquire);
        if is_over {
            sampler.stop();
        }
        sampler.drain(|sample| {
            let frames = walker.frames(sample);
            if frames.is_empty() {
                lost += 1;
                return;
            }
            let thread = sampler::thread_name(sample.thread);
            *stacks.entry((thread, frames)).or_default() += 1;
        });
        if is_over {
            break;
        }
        std::thread::sleep(EVERY);
    }
    lost += sampler.dropped();
    Taken {
        stacks,
        walker,
        lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn burn_for_the_profile(over: &AtomicBool) -> u64 {
        let mut sum = 1_u64;
        while !over.load(Ordering::Relaxed) {
            for n in 0..10_000 {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
            }
        }
        sum
    }

    #[inline(never)]
    fn outer_of_the_profile(over: &AtomicBool) -> u64 {
        // Code after the call keeps its frame on the stack (no tail call).
        burn_for_the_profile(over).wrapping_add(std::hint::black_box(1))
    }

    /// ACSO-13.
    #[test]
    fn a_busy_function_is_found_below_its_callers_and_its_thread() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run.folded");
        let mut text = String::new();
        for _ in 0..20 {
            let profile = Profile::start(&path).expect("a profile");
            assert!(
                Profile::start(&folder.path().join("other")).is_err(),
                "one at a time"
            );
            let over = Arc::new(AtomicBool::new(false));
            let ends = over.clone();
            let burning = std::thread::Builder::new().name("burner".to_owned());
            let burning = burning.spawn(move || outer_of_the_profile(&ends));
            std::thread::sleep(Duration::from_millis(500));
            over.store(true, Ordering::Relaxed);
            burning.expect("a thread").join().expect("it ends");
            let written = profile.finish().expect("written");
            text = std::fs::read_to_string(&path).expect("readable");
            if written.samples > 0 && text.contains("burn_for_the_profile") {
                break;
            }
        }
        let line = text
            .lines()
            .find(|line| line.contains("burn_for_the_profile"));
        let line = line.unwrap_or_else(|| panic!("not in {text}"));
        assert!(line.starts_with("burner;"), "{line}");
        let outer = line.find("outer_of_the_profile");
        assert!(
            outer.is_some_and(|at| line[at..].contains("burn_for_the_profile")),
            "{line}"
        );
        let (_, count) = line.rsplit_once(' ').expect("a count");
        assert!(count.parse::<u64>().is_ok_and(|count| count > 0), "{line}");
    }
}
