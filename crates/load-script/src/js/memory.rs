//! What VUs hold of the engine's memory, and how much of it they may.
//!
//! VUs share runtimes, so the engine's own limit would let one script take what its neighbours need.
//! The allocator writes down for every block who asked for it; who holds too much is ended with an
//! error of its own. The engine carves small values out of pages of four kilobytes: a page counts for
//! whoever needed it first, which is exact enough for bounds of many megabytes.

use std::cell::Cell;
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rquickjs::qjs;

/// What one VU may hold unless `Source` says otherwise.
pub(crate) const DEFAULT_BYTES: usize = 1 << 30;
/// What nobody in particular holds.
pub(super) const NOBODY: usize = 0;
/// Owners per runtime, nobody included.
const OWNERS: usize = super::isolate::VUS_PER_RUNTIME + 1;
/// How far a runtime's count may run ahead of what the process knows of it.
const UNREPORTED_BYTES: usize = 1 << 20;
/// A request up to this size may exceed the bound a little, so that garbage is collected first.
const SMALL_BYTES: usize = 1 << 20;
/// With a request of this size it is time to ask whether the VU shall go on.
const LARGE_BYTES: usize = 4096;
/// With so much in large requests a VU has had its turn: whoever allocates it is busy.
const TURN_BYTES: usize = 16 << 20;
/// What a VU that is to end gets no more at once: native code that needs so much has long to go.
const LONG_WORK_BYTES: usize = 64 * 1024;
/// What an ended VU may still take: errors and their stacks are made of it.
const GRACE_BYTES: usize = 256 * 1024;

/// What all runtimes hold.
static TOTAL: AtomicUsize = AtomicUsize::new(0);
/// VUs that there are.
static VUS: AtomicUsize = AtomicUsize::new(0);

/// The books of one runtime.
pub(super) struct Ledger {
    /// The most that one VU may hold.
    limit: usize,
    /// The same now: less when the memory of the process runs out.
    bound: Cell<usize>,
    total: Cell<usize>,
    reported: Cell<usize>,
    current: Cell<usize>,
    /// Bytes of large requests since somebody was last asked to let others run.
    large: Cell<usize>,
    accounts: [Account; OWNERS],
    engine: Cell<*mut qjs::JSRuntime>,
}

struct Account {
    held: Cell<usize>,
    is_taken: Cell<bool>,
    /// A collection was asked for since it came over its bound.
    is_collected: Cell<bool>,
    /// It held too much: its code is to end.
    is_over: Cell<bool>,
    grace: Cell<usize>,
    /// The last request of this job that was refused, and what was held then.
    refused: Cell<Option<(usize, usize)>>,
    /// Bytes of large requests since its job is to end; more than the grace: requests were refused.
    late: Cell<usize>,
}

/// Memory of ours that a script's value keeps, in the books of its VU until it is dropped.
pub(crate) struct Held {
    ledger: Rc<Ledger>,
    owner: usize,
    bytes: usize,
}

impl Held {
    /// Charges the one whose code runs; `None` when it may not have so much.
    pub(super) fn new(ledger: &Rc<Ledger>, bytes: usize) -> Option<Self> {
        let owner = ledger.allows(bytes).then(|| ledger.grew(bytes))?;
        Some(Self {
            ledger: Rc::clone(ledger),
            owner,
            bytes,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.shrank(self.owner, self.bytes);
    }
}

/// Somebody who wanted too much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overdraft {
    held: usize,
    bound: usize,
    wanted: usize,
    /// Not one request was too large, all together are: whatever the code makes of it, it ends.
    pub(crate) is_over: bool,
}

impl Ledger {
    /// Books for a runtime whose VUs may hold `limit` bytes each.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            bound: Cell::new(limit),
            total: Cell::default(),
            reported: Cell::default(),
            current: Cell::new(NOBODY),
            large: Cell::default(),
            accounts: [const { Account::new() }; OWNERS],
            engine: Cell::new(ptr::null_mut()),
        }
    }

    /// Names the runtime, whose collector is asked for help.
    pub(super) fn set_engine(&self, engine: *mut qjs::JSRuntime) {
        self.engine.set(engine);
    }

    /// Bytes that the runtime has allocated.
    pub(super) fn total(&self) -> usize {
        self.total.get()
    }

    /// An account for one more VU; nobody's when there is none left.
    pub(super) fn open(&self) -> usize {
        VUS.fetch_add(1, Ordering::Relaxed);
        let free = (1..OWNERS).find(|owner| !self.accounts[*owner].is_taken.get());
        let owner = free.unwrap_or(NOBODY);
        self.accounts[owner].is_taken.set(true);
        owner
    }

    /// The VU has gone; what it left behind counts for the next owner of its account.
    pub(super) fn close(&self, owner: usize) {
        VUS.fetch_sub(1, Ordering::Relaxed);
        let account = &self.accounts[owner];
        account.is_taken.set(false);
        account.is_over.set(false);
    }

    /// Whose code runs from now on.
    pub(super) fn turn(&self, owner: usize) {
        self.current.set(owner);
    }

    /// Whether the one whose code runs may take `size` bytes more. When not, the engine throws "out of
    /// memory"; whoever held too much already is also ended, as [`Self::is_over`] tells.
    pub(super) fn allows(&self, size: usize) -> bool {
        let owner = self.current.get();
        let account = &self.accounts[owner];
        if size >= LARGE_BYTES && owner != NOBODY && account.comes_too_late(size) {
            return false;
        }
        let wanted = account.held.get().saturating_add(size);
        wanted <= self.bound.get() || owner == NOBODY || self.allows_more(account, size)
    }

    #[cold]
    fn allows_more(&self, account: &Account, size: usize) -> bool {
        self.report();
        let (held, bound) = (account.held.get(), self.bound.get());
        let wanted = held.saturating_add(size);
        if wanted <= bound {
            return true;
        }
        if !account.is_collected.replace(true) {
            account.grace.set(GRACE_BYTES);
            // The next object that is made starts a collection.
            // SAFETY: sets a field of the live runtime that allocates.
            unsafe { qjs::JS_SetGCThreshold(self.engine.get(), 0) };
        }
        if size <= SMALL_BYTES && wanted <= bound + bound / 8 {
            return true;
        }
        account.refused.set(Some((size, held)));
        if held <= bound {
            // Only this one request is too large.
            return false;
        }
        account.is_over.set(true);
        let left = account.grace.get().checked_sub(size);
        account.grace.set(left.unwrap_or(account.grace.get()));
        left.is_some()
    }

    /// Whether the one whose code runs is to end.
    pub(super) fn is_over(&self) -> bool {
        self.accounts[self.current.get()].is_over.get()
    }

    /// Whether memory was refused to the one whose code has run because that code was to end.
    pub(super) fn was_cut_short(&self) -> bool {
        self.accounts[self.current.get()].late.take() > GRACE_BYTES
    }

    /// What was refused to the one whose code has run. It gets another chance if it has let go.
    pub(super) fn settle(&self) -> Option<Overdraft> {
        let account = &self.accounts[self.current.get()];
        let refused = account.refused.take();
        let overdraft = refused.map(|refused| self.overdraft(account, refused));
        if account.is_over.get() {
            // SAFETY: the runtime is alive, and its VU is between two jobs.
            unsafe { qjs::JS_RunGC(self.engine.get()) };
        }
        if account.is_collected.get() {
            self.report();
            self.reopen(account);
        }
        overdraft
    }

    /// Whether the one whose code is to run holds too much from the outset.
    pub(super) fn is_blocked(&self) -> Option<Overdraft> {
        let account = &self.accounts[self.current.get()];
        let blocked = account.is_over.get() && !self.reopen(account);
        blocked.then(|| self.overdraft(account, (0, account.held.get())))
    }

    fn overdraft(&self, account: &Account, refused: (usize, usize)) -> Overdraft {
        let (wanted, held) = refused;
        Overdraft {
            held,
            bound: self.bound.get(),
            wanted,
            is_over: account.is_over.get(),
        }
    }

    /// Forgets that an account was over its bound, if it is well below.
    fn reopen(&self, account: &Account) -> bool {
        let bound = self.bound.get();
        let is_below = account.held.get() <= bound - bound / 8;
        if is_below {
            account.is_collected.set(false);
            account.is_over.set(false);
        }
        is_below
    }

    /// Somebody has got `size` bytes.
    pub(super) fn grew(&self, size: usize) -> usize {
        if size >= LARGE_BYTES {
            let large = self.large.get() + size;
            let is_due = large >= TURN_BYTES;
            self.large.set(if is_due { 0 } else { large });
            super::patience::end_of_who_leaves(is_due);
        }
        let owner = self.current.get();
        let held = &self.accounts[owner].held;
        held.set(held.get() + size);
        self.total.set(self.total.get() + size);
        if self.total.get() > self.reported.get() + UNREPORTED_BYTES {
            self.report();
        }
        owner
    }

    /// The owner of so many bytes has them no longer.
    pub(super) fn shrank(&self, owner: usize, size: usize) {
        let held = &self.accounts[owner].held;
        held.set(held.get().saturating_sub(size));
        self.total.set(self.total.get().saturating_sub(size));
        if self.total.get() + UNREPORTED_BYTES < self.reported.get() {
            self.report();
        }
    }

    /// Tells the process of this runtime, and learns how the process stands.
    fn report(&self) {
        let (now, before) = (self.total.get(), self.reported.replace(self.total.get()));
        let change = now.wrapping_sub(before);
        let all = TOTAL
            .fetch_add(change, Ordering::Relaxed)
            .wrapping_add(change);
        self.bound
            .set(bound(self.limit, all, VUS.load(Ordering::Relaxed)));
    }
}

impl Account {
    /// Whether the code that asks is to end and has had its grace. Native code that is not asked whether
    /// to go on, as that which raises large numbers to powers, ends when it gets no memory.
    fn comes_too_late(&self, size: usize) -> bool {
        if !super::isolate::is_ending() {
            return false;
        }
        let weight = if size >= LONG_WORK_BYTES {
            GRACE_BYTES + 1
        } else {
            size
        };
        self.late.set(self.late.get().saturating_add(weight));
        self.late.get() > GRACE_BYTES
    }

    const fn new() -> Self {
        Self {
            late: Cell::new(0),
            held: Cell::new(0),
            is_taken: Cell::new(false),
            is_collected: Cell::new(false),
            is_over: Cell::new(false),
            grace: Cell::new(0),
            refused: Cell::new(None),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        TOTAL.fetch_sub(self.reported.get(), Ordering::Relaxed);
    }
}

/// What one VU may hold when all together hold `all`: when the process has taken what it may, those go
/// that have more than their share.
fn bound(limit: usize, all: usize, vus: usize) -> usize {
    match ceiling() {
        Some(ceiling) if all > ceiling => limit.min(ceiling / vus.max(1)),
        _ => limit,
    }
}

/// What all runtimes together may hold: three quarters of the memory that was free when the first of
/// them asked. `None` where the system does not tell.
fn ceiling() -> Option<usize> {
    static CEILING: OnceLock<Option<usize>> = OnceLock::new();
    *CEILING.get_or_init(|| {
        let free = [available(), left_in_group()].into_iter().flatten().min();
        free.map(|bytes| bytes / 4 * 3)
    })
}

fn available() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

/// What the container may still take.
fn left_in_group() -> Option<usize> {
    let read = |name: &str| -> Option<usize> {
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse().ok()
    };
    Some(read("memory.max")?.saturating_sub(read("memory.current")?))
}

impl std::fmt::Display for Overdraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let megabytes = |bytes: usize| bytes.div_ceil(1 << 20);
        let [held, bound, wanted] = [self.held, self.bound, self.wanted].map(megabytes);
        write!(f, "holds {held} MB of the {bound} MB that it may hold")?;
        match wanted {
            0 => Ok(()),
            _ => write!(f, " and asked for {wanted} MB more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_limit_until_the_process_is_full() {
        let ceiling = ceiling().expect("this system tells");
        assert_eq!(bound(1000, 0, 10), 1000);
        assert_eq!(bound(1000, ceiling, 10), 1000);
        assert_eq!(bound(usize::MAX, ceiling + 1, 10), ceiling / 10);
        assert_eq!(bound(1000, ceiling + 1, 0), 1000);
    }

    #[test]
    fn blocks_count_for_whoever_asked_for_them() {
        let ledger = Ledger::new(4 << 20);
        let (one, other) = (ledger.open(), ledger.open());
        ledger.turn(one);
        assert_eq!(ledger.grew(4 << 20), one);
        ledger.turn(other);
        assert!(ledger.allows(4 << 20));
        ledger.shrank(one, 1 << 20);
        assert_eq!(ledger.total(), 3 << 20);
        ledger.close(one);
        assert_eq!(ledger.open(), one);
    }
}
