//! Nobody's turn gets too long: a thread that ticks for all the threads on which VUs run.
//!
//! The engine asks whether to go on after ten thousand jumps, however long a jump takes: a loop whose
//! every round searches a long array would neither end with its VU nor let others run for minutes. Whoever
//! has run for a whole tick is asked at his next jump, and then lets others run. What lost: signals, which
//! interrupt system calls and need room on the small stacks of VUs.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rquickjs::qjs;

use super::patience;

/// How long a turn lasts at least before it is ended.
const TICK: Duration = Duration::from_millis(20);

/// What a thread lets others see of the VU that runs on it.
#[derive(Default)]
struct Stage {
    /// How many turns have begun.
    turns: AtomicU64,
    /// Where the engine counts down while a VU runs, else null.
    count: AtomicPtr<i32>,
    /// The turn has lasted long enough.
    is_over: AtomicBool,
    /// Held by whoever writes to the count; a realm goes when nobody does.
    writing: Mutex<()>,
}

thread_local! {
    static STAGE: Option<Arc<Stage>> = register();
}

/// The turn of a VU of this realm begins on the calling thread.
pub(super) fn begin_turn(ctx: *mut qjs::JSContext) {
    let Some(offset) = patience::count_offset() else {
        return;
    };
    with_stage(|stage| {
        stage.is_over.store(false, Ordering::Relaxed);
        let turns = stage.turns.load(Ordering::Relaxed);
        stage.turns.store(turns.wrapping_add(1), Ordering::Relaxed);
        let count = ctx.cast::<i32>().wrapping_add(offset);
        stage.count.store(count, Ordering::Release);
    });
}

/// The turn has ended.
pub(super) fn end_turn() {
    with_stage(|stage| stage.count.store(ptr::null_mut(), Ordering::Release));
}

/// Whether the turn that goes on has lasted long enough; says so once.
pub(super) fn is_turn_over() -> bool {
    let mut is_over = false;
    with_stage(|stage| is_over = stage.is_over.swap(false, Ordering::Relaxed));
    is_over
}

/// Waits until nobody can write to a realm whose turns have all ended. To be called before it goes.
pub(super) fn leave_alone() {
    with_stage(|stage| drop(stage.writing.lock()));
}

fn with_stage(act: impl FnOnce(&Stage)) {
    // While a thread ends there is none any more, and no turns either.
    let _ = STAGE.try_with(|stage| stage.as_deref().map(act));
}

/// A stage for the calling thread; `None` when there is no thread to look at it.
fn register() -> Option<Arc<Stage>> {
    static STAGES: OnceLock<Option<Mutex<Vec<Weak<Stage>>>>> = OnceLock::new();
    let mut is_first = false;
    let stages = STAGES.get_or_init(|| {
        is_first = true;
        Some(Mutex::default())
    });
    let stages = stages.as_ref()?;
    let stage = Arc::new(Stage::default());
    stages
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Arc::downgrade(&stage));
    if is_first {
        let ticking = std::thread::Builder::new().name("metronome".to_owned());
        ticking.spawn(|| tick(stages)).ok()?;
    }
    Some(stage)
}

fn tick(stages: &Mutex<Vec<Weak<Stage>>>) -> ! {
    let mut seen: Vec<(Weak<Stage>, u64)> = Vec::new();
    loop {
        std::thread::sleep(TICK);
        let new = std::mem::take(&mut *stages.lock().unwrap_or_else(PoisonError::into_inner));
        seen.extend(new.into_iter().map(|stage| (stage, 0)));
        seen.retain_mut(|(stage, turn)| {
            let Some(stage) = stage.upgrade() else {
                return false;
            };
            look_at(&stage, turn);
            true
        });
    }
}

/// Ends the turn on this stage if it is the one that was seen before.
fn look_at(stage: &Stage, seen: &mut u64) {
    let _writing = stage.writing.lock();
    let count = stage.count.load(Ordering::Acquire);
    let turn = stage.turns.load(Ordering::Relaxed);
    if count.is_null() || std::mem::replace(seen, turn) != turn {
        return;
    }
    stage.is_over.store(true, Ordering::Relaxed);
    // SAFETY: the realm is alive: its turn has not ended, or has since the count was read, and it does not
    // go while `writing` is held. The engine's own thread counts down there at the same time: one of the two
    // numbers is lost, whole as an aligned word is, and the next tick writes again.
    unsafe { count.write_volatile(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_lasts_is_over_and_a_new_one_is_not() {
        let mut count = 1000;
        let (stage, mut seen) = (Stage::default(), 0);
        stage.turns.store(1, Ordering::Relaxed);
        stage.count.store(&raw mut count, Ordering::Release);
        look_at(&stage, &mut seen);
        assert!(!stage.is_over.load(Ordering::Relaxed), "it has just begun");
        look_at(&stage, &mut seen);
        assert!(stage.is_over.load(Ordering::Relaxed));
        assert_eq!(count, 0, "the engine asks at the next jump");
    }

    #[test]
    fn nobody_is_disturbed_between_turns() {
        let (stage, mut seen) = (Stage::default(), 0);
        look_at(&stage, &mut seen);
        look_at(&stage, &mut seen);
        assert!(!stage.is_over.load(Ordering::Relaxed));
    }
}
