//! The timer, its handler, and the copies that it leaves.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Samples per second of processor time: not a divisor of common periods of a few milliseconds.
const HERTZ: libc::c_long = 99;
/// The number of copies that can wait to be walked.
const SLOTS: usize = 128;
/// The bytes that are copied of a stack; deeper callers are cut off.
const COPIED: usize = 64 * 1024;

const EMPTY: u8 = 0;
const FILLING: u8 = 1;
const FULL: u8 = 2;

/// One interrupted moment. It consists of atomics, since the handler and the walker share it without a lock.
struct Slot {
    state: AtomicU8,
    thread: AtomicU32,
    pc: AtomicU64,
    sp: AtomicU64,
    fp: AtomicU64,
    lr: AtomicU64,
    /// Bytes of the stack that were copied.
    copied: AtomicU32,
}

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(EMPTY),
            thread: AtomicU32::new(0),
            pc: AtomicU64::new(0),
            sp: AtomicU64::new(0),
            fp: AtomicU64::new(0),
            lr: AtomicU64::new(0),
            copied: AtomicU32::new(0),
        }
    }
}

static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];
static NEXT: AtomicU32 = AtomicU32::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);
/// The file in memory for the copies; negative if there is none.
static COPIES: AtomicI32 = AtomicI32::new(-1);
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// A copied moment, for the walker.
#[derive(Debug)]
pub struct Sample<'a> {
    pub thread: u32,
    pub pc: u64,
    pub sp: u64,
    pub fp: u64,
    /// The link register.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            dead_code,
            reason = "x86-64 has none: the return address is on the stack"
        )
    )]
    pub lr: u64,
    /// From the stack pointer upwards.
    pub stack: &'a [u8],
}

/// The running timer, of which a process has one.
#[derive(Debug)]
pub struct Sampler {
    copies: File,
    buffer: Vec<u8>,
}

impl Sampler {
    /// # Errors
    /// Another one is running, or the system refuses.
    pub fn start() -> io::Result<Self> {
        if IS_TAKEN.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("another profile is in progress"));
        }
        let started = copies().and_then(|copies| {
            DROPPED.store(0, Ordering::Relaxed);
            for slot in &TABLE {
                slot.state.store(EMPTY, Ordering::Relaxed);
            }
            COPIES.store(copies.as_raw_fd(), Ordering::Release);
            handle()?;
            every(1_000_000 / HERTZ)?;
            Ok(Self {
                copies,
                buffer: vec![0; COPIED],
            })
        });
        if started.is_err() {
            COPIES.store(-1, Ordering::Release);
            IS_TAKEN.store(false, Ordering::Release);
        }
        started
    }

    /// Stops sampling. The handler stays, since a signal may be pending.
    pub fn stop(&mut self) {
        // A timer that cannot be stopped only fills slots that are no longer emptied.
        drop(every(0));
    }

    /// Passes each full slot to `take`, and empties it.
    pub fn drain(&mut self, mut take: impl FnMut(&Sample<'_>)) {
        for (place, slot) in TABLE.iter().enumerate() {
            if slot.state.load(Ordering::Acquire) != FULL {
                continue;
            }
            let length = (slot.copied.load(Ordering::Relaxed) as usize).min(COPIED);
            let stack = &mut self.buffer[..length];
            if self
                .copies
                .read_exact_at(stack, (place * COPIED) as u64)
                .is_ok()
            {
                take(&Sample {
                    thread: slot.thread.load(Ordering::Relaxed),
                    pc: slot.pc.load(Ordering::Relaxed),
                    sp: slot.sp.load(Ordering::Relaxed),
                    fp: slot.fp.load(Ordering::Relaxed),
                    lr: slot.lr.load(Ordering::Relaxed),
                    stack,
                });
            }
            slot.state.store(EMPTY, Ordering::Release);
        }
    }

    /// The number of samples for which no slot was free.
    pub fn dropped(&self) -> u64 {
        DROPPED.load(Ordering::Relaxed)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
        COPIES.store(-1, Ordering::Release);
        IS_TAKEN.store(false, Ordering::Release);
    }
}

/// The name of a thread of this process, without a trailing number, so that workers of a pool are counted together.
pub fn thread_name(id: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{id}/comm"));
    let name = name.unwrap_or_else(|_| "ended".to_owned());
    let name = name
        .trim()
        .trim_end_matches(|last: char| last.is_ascii_digit());
    name.trim_end_matches(['-', '_', ' ']).replace(';', ":")
}

/// A file in memory with room for all slots.
fn copies() -> io::Result<File> {
    // SAFETY: the name is a constant that ends with a zero; the result is checked.
    let descriptor = unsafe { libc::memfd_create(c"sparring-profile".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was made above and has no other owner.
    let file = unsafe { File::from_raw_fd(descriptor) };
    file.set_len((SLOTS * COPIED) as u64)?;
    Ok(file)
}

/// Installs the handler. It runs on the thread's signal stack, if there is one, since the stack of a script may
/// have no room for it.
fn handle() -> io::Result<()> {
    // SAFETY: all zeros are a valid `sigaction` without flags, and the mask is emptied below.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_tick as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: both pointers are to values of this frame, or null; the handler keeps to what signal-safety(7)
    // allows.
    let done = unsafe {
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGPROF, &action, std::ptr::null_mut())
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Requests a signal whenever the process has used so many microseconds of processor time; 0: none.
fn every(micros: libc::c_long) -> io::Result<()> {
    let time = libc::timeval {
        tv_sec: 0,
        tv_usec: micros,
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    // SAFETY: setitimer(2) reads the value it is given and writes nothing through null.
    match unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Records the registers of the thread, and lets the kernel copy its stack: pwrite(2) stops at the end of mapped
/// memory instead of faulting.
extern "C" fn on_tick(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let copies = COPIES.load(Ordering::Acquire);
    if copies < 0 {
        return;
    }
    let place = NEXT.fetch_add(1, Ordering::Relaxed) as usize % SLOTS;
    let slot = &TABLE[place];
    let claimed = slot
        .state
        .compare_exchange(EMPTY, FILLING, Ordering::AcqRel, Ordering::Relaxed);
    if claimed.is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return;
    }
    // SAFETY: the kernel gives a handler with SA_SIGINFO the interrupted context.
    let registers = registers(unsafe { &*context.cast::<libc::ucontext_t>() });
    // SAFETY: the address of errno is that of this thread; gettid(2) and pwrite(2) may be called in a
    // handler, and pwrite returns an error for unmapped memory.
    let copied = unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        slot.thread
            .store(libc::syscall(libc::SYS_gettid) as u32, Ordering::Relaxed);
        let copied = libc::pwrite(
            copies,
            registers.sp as *const libc::c_void,
            COPIED,
            (place * COPIED) as libc::off_t,
        );
        *errno = before;
        copied
    };
    slot.pc.store(registers.pc, Ordering::Relaxed);
    slot.sp.store(registers.sp, Ordering::Relaxed);
    slot.fp.store(registers.fp, Ordering::Relaxed);
    slot.lr.store(registers.lr, Ordering::Relaxed);
    slot.copied.store(copied.max(0) as u32, Ordering::Relaxed);
    slot.state.store(FULL, Ordering::Release);
}

struct Registers {
    pc: u64,
    sp: u64,
    fp: u64,
    lr: u64,
}

#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> Registers {
    let of = |register: libc::c_int| context.uc_mcontext.gregs[register as usize] as u64;
    Registers {
        pc: of(libc::REG_RIP),
        sp: of(libc::REG_RSP),
        fp: of(libc::REG_RBP),
        lr: 0,
    }
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> Registers {
    let machine = &context.uc_mcontext;
    Registers {
        pc: machine.pc,
        sp: machine.sp,
        fp: machine.regs[29],
        lr: machine.regs[30],
    }
}
