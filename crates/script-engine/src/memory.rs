//! The engine's memory that VUs use, and its bounds.
//!
//! VUs share runtimes, so the engine's own limit would let one script take the memory of its neighbours. The
//! allocator records the owner of every block; a VU that uses too much is ended with an error of its own. The
//! engine allocates small values from pages of four kilobytes: a page is charged to the VU that needed it
//! first, which is accurate enough for bounds of many megabytes.

use std::cell::Cell;
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rquickjs::qjs;

/// The bytes that one VU may use by default.
pub const DEFAULT_BYTES: usize = 1 << 30;
/// The account of memory that belongs to no VU.
pub(super) const NOBODY: usize = 0;
/// The number of VUs that share a runtime: its atoms, shapes, arenas and built-ins. More would save little
/// memory and make collections, which stop them all, longer.
pub(super) const VUS_PER_RUNTIME: usize = 64;
/// Accounts per runtime, including the one that belongs to no VU.
const OWNERS: usize = VUS_PER_RUNTIME + 1;
/// How far a runtime's count may run ahead of its last report to the process.
const UNREPORTED_BYTES: usize = 1 << 20;
/// A request up to this size may exceed the bound a little, so that garbage is collected first.
const SMALL_BYTES: usize = 1 << 20;
/// From this size on, an allocation checks whether the VU may continue.
const LARGE_BYTES: usize = 4096;
/// When the large requests of a VU add up to this, its turn is over.
const TURN_BYTES: usize = 16 << 20;
/// An ending VU gets no request of this size: native code that needs so much would run long.
const LONG_WORK_BYTES: usize = 64 * 1024;
/// The bytes that an ended VU may still take, for errors and their stacks.
const GRACE_BYTES: usize = 256 * 1024;

/// The bytes that all runtimes use.
static TOTAL: AtomicUsize = AtomicUsize::new(0);
/// The number of VUs.
static VUS: AtomicUsize = AtomicUsize::new(0);

/// The ledger of one runtime.
pub(super) struct Ledger {
    /// The maximum for one VU.
    limit: usize,
    /// The current maximum, which is lower when the process runs out of memory.
    bound: Cell<usize>,
    total: Cell<usize>,
    reported: Cell<usize>,
    current: Cell<usize>,
    /// Bytes of large requests since a VU was last asked to let others run.
    large: Cell<usize>,
    accounts: [Account; OWNERS],
    engine: Cell<*mut qjs::JSRuntime>,
}

struct Account {
    held: Cell<usize>,
    is_taken: Cell<bool>,
    /// A collection was requested since the VU exceeded its bound.
    is_collected: Cell<bool>,
    /// The VU used too much: its code has to end.
    is_over: Cell<bool>,
    grace: Cell<usize>,
    /// The last request of this job that was refused, and the bytes in use then.
    refused: Cell<Option<(usize, usize)>>,
    /// Bytes of large requests since its job was told to end. Above the grace, requests were refused.
    late: Cell<usize>,
}

/// Native memory that a script's value keeps, charged to its VU until it is dropped.
pub struct Held {
    ledger: Rc<Ledger>,
    owner: usize,
    bytes: usize,
}

impl Held {
    /// Charges the running VU; `None` when that exceeds its bound.
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

/// A request beyond the bound.
#[derive(Debug, Clone, Copy)]
pub struct Overdraft {
    held: usize,
    bound: usize,
    wanted: usize,
    /// The requests together are too large, not only this one: the code ends even if it handles the error.
    pub is_over: bool,
}

impl Ledger {
    /// A ledger for a runtime whose VUs may use `limit` bytes each.
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

    /// Sets the runtime whose collector frees memory.
    pub(super) fn set_engine(&self, engine: *mut qjs::JSRuntime) {
        self.engine.set(engine);
    }

    /// Bytes that the runtime has allocated.
    pub(super) fn total(&self) -> usize {
        self.total.get()
    }

    /// An account for one more VU; that of no VU when none is left.
    pub(super) fn open(&self) -> usize {
        VUS.fetch_add(1, Ordering::Relaxed);
        let free = (1..OWNERS).find(|owner| !self.accounts[*owner].is_taken.get());
        let owner = free.unwrap_or(NOBODY);
        self.accounts[owner].is_taken.set(true);
        owner
    }

    /// Closes the account of a VU that has gone; memory that it left behind counts for the next owner of the account.
    pub(super) fn close(&self, owner: usize) {
        VUS.fetch_sub(1, Ordering::Relaxed);
        let account = &self.accounts[owner];
        account.is_taken.set(false);
        account.is_over.set(false);
    }

    /// Sets the owner of the code that runs from now on.
    pub(super) fn turn(&self, owner: usize) {
        self.current.set(owner);
    }

    /// Whether the running VU may take `size` bytes more. If not, the engine throws "out of memory"; a VU that
    /// already used too much is also ended, as [`Self::is_over`] reports.
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

    /// Whether the running VU has to end.
    pub(super) fn is_over(&self) -> bool {
        self.accounts[self.current.get()].is_over.get()
    }

    /// Whether memory was refused to the VU that has run because its code had to end.
    pub(super) fn was_cut_short(&self) -> bool {
        self.accounts[self.current.get()].late.take() > GRACE_BYTES
    }

    /// The request that was refused to the VU that has run. The VU continues if it has released enough memory.
    pub(super) fn settle(&self) -> Option<Overdraft> {
        let account = &self.accounts[self.current.get()];
        let refused = account.refused.take();
        let overdraft = refused.map(|(wanted, held)| self.overdraft(account, wanted, held));
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

    /// The excess of memory that the next VU uses before it runs.
    pub(super) fn is_blocked(&self) -> Option<Overdraft> {
        let account = &self.accounts[self.current.get()];
        let blocked = account.is_over.get() && !self.reopen(account);
        blocked.then(|| self.overdraft(account, 0, account.held.get()))
    }

    fn overdraft(&self, account: &Account, wanted: usize, held: usize) -> Overdraft {
        Overdraft {
            held,
            bound: self.bound.get(),
            wanted,
            is_over: account.is_over.get(),
        }
    }

    /// Clears the mark that an account was over its bound, if it is well below it now.
    fn reopen(&self, account: &Account) -> bool {
        let bound = self.bound.get();
        let is_below = account.held.get() <= bound - bound / 8;
        if is_below {
            account.is_collected.set(false);
            account.is_over.set(false);
        }
        is_below
    }

    /// Charges `size` bytes to the running VU and returns its account.
    pub(super) fn grew(&self, size: usize) -> usize {
        if size >= LARGE_BYTES {
            let large = self.large.get() + size;
            let is_due = large >= TURN_BYTES;
            self.large.set(if is_due { 0 } else { large });
            if let Some(ctx) = super::turn::leaving(is_due, self.is_over()) {
                super::patience::ask_after(ctx, 0);
            }
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

    /// Credits bytes to an owner's account.
    pub(super) fn shrank(&self, owner: usize, size: usize) {
        let held = &self.accounts[owner].held;
        held.set(held.get().saturating_sub(size));
        self.total.set(self.total.get().saturating_sub(size));
        if self.total.get() + UNREPORTED_BYTES < self.reported.get() {
            self.report();
        }
    }

    /// Reports this runtime's total to the process and updates the bound.
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
    /// Whether the requesting code has to end and has used up its grace. Native code that never checks for an
    /// interrupt, such as powers of large integers, ends when it gets no memory.
    fn comes_too_late(&self, size: usize) -> bool {
        if !super::turn::is_ending() {
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

/// The bytes that one VU may use when all together use `all`: once the process has reached its ceiling, VUs with more
/// than their share end.
fn bound(limit: usize, all: usize, vus: usize) -> usize {
    match ceiling() {
        Some(ceiling) if all > ceiling => limit.min(ceiling / vus.max(1)),
        _ => limit,
    }
}

/// The bytes that all runtimes together may use: three quarters of the memory that was free when the first of them
/// asked. `None` if the system does not report it.
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

/// The bytes that the container may still take.
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
    fn blocks_are_charged_to_the_vu_that_requested_them() {
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
