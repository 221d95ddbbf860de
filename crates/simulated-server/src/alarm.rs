//! An alarm clock for a task of the runtime.

#[cfg(target_os = "linux")]
pub(crate) use linux::Alarm;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::Alarm;

/// A timer of the kernel among the descriptors that the runtime waits for anyway. It has nanosecond resolution
/// and no slack, while a wait with a timeout has whole milliseconds.
#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::{Duration, Instant};

    use rustix::time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
        clock_gettime, timerfd_create, timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(crate) struct Alarm {
        descriptor: AsyncFd<OwnedFd>,
        /// The same moment on both clocks.
        origin: Instant,
        origin_monotonic: Duration,
    }

    impl Alarm {
        /// Needs a tokio runtime.
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // In this order an alarm is a little late rather than early.
            let origin = Instant::now();
            let monotonic = clock_gettime(ClockId::Monotonic);
            // SAFETY: the descriptor is owned, so it stays open and unchanged until it is dropped, after the
            // registration.
            let registered =
                unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
            let descriptor = registered.map_err(io::Error::from)?;
            Ok(Self {
                descriptor,
                origin,
                origin_monotonic: Duration::new(
                    monotonic.tv_sec.unsigned_abs(),
                    monotonic.tv_nsec.unsigned_abs() as u32,
                ),
            })
        }

        /// Sets the alarm to `deadline`, instead of an earlier one.
        pub(crate) fn set(&self, deadline: Instant) {
            let at = self.origin_monotonic + deadline.saturating_duration_since(self.origin);
            let zero = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            let new = Itimerspec {
                it_interval: zero,
                it_value: Timespec {
                    tv_sec: at.as_secs().cast_signed(),
                    tv_nsec: at.subsec_nanos().into(),
                },
            };
            timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::ABSTIME, &new)
                .expect("the descriptor is a timer and the time is well-formed");
        }

        /// Completes when the alarm has rung since the last call.
        pub(crate) async fn rang(&self) -> io::Result<()> {
            let mut times = [0; 8];
            loop {
                let mut ready = self.descriptor.readable().await?;
                let read = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut times)?));
                match read {
                    Ok(read) => return read.map(|_| ()),
                    Err(_would_block) => {}
                }
            }
        }
    }
}

/// The runtime's own timer, a millisecond coarse.
#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;
    use std::sync::{Mutex, PoisonError};
    use std::time::Instant;

    use tokio::sync::Notify;

    #[derive(Debug, Default)]
    pub(crate) struct Alarm {
        deadline: Mutex<Option<Instant>>,
        set: Notify,
    }

    impl Alarm {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self::default())
        }

        /// Sets the alarm to `deadline`, instead of an earlier one.
        pub(crate) fn set(&self, deadline: Instant) {
            *self.lock() = Some(deadline);
            self.set.notify_one();
        }

        /// Completes when the alarm has rung since the last call.
        pub(crate) async fn rang(&self) -> io::Result<()> {
            loop {
                let deadline = *self.lock();
                let ring = async {
                    match deadline {
                        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = ring => break,
                    () = self.set.notified() => {}
                }
            }
            *self.lock() = None;
            Ok(())
        }

        fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
            self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
