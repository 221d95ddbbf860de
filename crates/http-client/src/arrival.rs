//! The time at which bytes arrived at this machine: data that a busy thread reads late was not sent late.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::failure::Ends;

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(not(target_os = "linux"))]
mod no_kernel;
#[cfg(not(target_os = "linux"))]
use no_kernel as kernel;
#[cfg(all(test, target_os = "linux"))]
mod late;

/// Lateness up to this is not examined further: the thread was not busy, and an examination costs a system
/// call.
const WORTH_A_LOOK: Duration = Duration::from_millis(1);

/// The largest difference between two readings of two clocks.
const TOLERANCE: Duration = Duration::from_millis(1);

/// The times at which bytes arrived and were read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) read: Instant,
}

/// A TCP stream that knows the arrival time of the bytes that were read last.
pub(crate) struct Stamped {
    tcp: TcpStream,
    /// Whether the kernel records arrivals.
    has_stamps: bool,
    last: Arrival,
    /// The number of segments out of order at the last look.
    disorder: u32,
}

impl Arrival {
    /// The arrival of bytes that are read as they arrive.
    pub(crate) fn now() -> Self {
        let now = Instant::now();
        Self { at: now, read: now }
    }

    /// The arrival of bytes that were read at `read` and were `age` old by the wall clock, `None` when the age
    /// is unknown or negative. Nothing arrived before `earliest`: an age that implies this comes from a clock
    /// that was set meanwhile, and is ignored.
    fn new(read: Instant, age: Option<Duration>, earliest: Instant) -> Self {
        let at = age.and_then(|age| read.checked_sub(age));
        let at = at.filter(|at| *at + TOLERANCE >= earliest);
        Self {
            at: at.map_or(read, |at| at.max(earliest).min(read)),
            read,
        }
    }

    /// The same, unless segments came out of order. The last one may then have waited for an earlier one, which
    /// was lost and is the reason for the time that passed. Only examined when that time is long enough to
    /// matter.
    fn unless(self, is_in_disorder: impl FnOnce() -> bool) -> Self {
        match self.late() > WORTH_A_LOOK && is_in_disorder() {
            true => Self {
                at: self.read,
                ..self
            },
            false => self,
        }
    }

    /// The time between arrival and reading.
    pub(crate) fn late(self) -> Duration {
        self.read - self.at
    }

    /// The same, given that nothing arrived before `earliest`.
    pub(crate) fn not_before(self, earliest: Instant) -> Self {
        Self::new(self.read, Some(self.read - self.at), earliest)
    }
}

impl Stamped {
    /// The stream of a new connection.
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            has_stamps: kernel::note_arrivals(&tcp),
            tcp,
            last: Arrival::now(),
            disorder: 0,
        }
    }

    /// The stream itself.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// The local address and the peer's.
    pub(crate) fn ends(&self) -> Option<Ends> {
        Some(Ends {
            local: self.tcp.local_addr().ok()?,
            remote: self.tcp.peer_addr().ok()?,
        })
    }

    /// The arrival of the bytes that were read last.
    pub(crate) fn arrival(&self) -> Arrival {
        self.last
    }

    /// Tells the stream that nothing was in flight at `begin`: the bytes that are read next arrive later.
    pub(crate) fn begin(&mut self, begin: Instant) {
        self.last = Arrival {
            at: begin,
            read: begin,
        };
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            let mut received = None;
            let tried = self.tcp.try_io(Interest::READABLE, || {
                let piece = kernel::receive(&self.tcp, buffer)?;
                let is_all = piece.is_all;
                received = Some(piece);
                // A read that leaves room in the buffer has taken everything. Clearing readiness here saves the
                // call that would only find this out; later data is a new event, and so is the end of the
                // stream.
                match is_all {
                    true => Err(io::ErrorKind::WouldBlock.into()),
                    false => Ok(()),
                }
            });
            match (received, tried) {
                (Some(piece), _) => {
                    self.note(piece.stamp);
                    return Poll::Ready(Ok(()));
                }
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                (None, _) => {}
            }
        }
    }

    /// Records the arrival of the bytes that were just read; the stamp is wall-clock time.
    fn note(&mut self, stamp: Option<Duration>) {
        // The wall clock is read first: an interruption in between makes the arrival later, never too early.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let age = stamp.and_then(|stamp| now?.checked_sub(stamp));
        let arrival = Arrival::new(Instant::now(), age, self.last.at);
        self.last = arrival.unless(|| self.is_in_disorder());
    }

    /// Whether segments arrived out of order since the last look.
    fn is_in_disorder(&mut self) -> bool {
        let Some(disorder) = kernel::out_of_order(&self.tcp) else {
            return false;
        };
        std::mem::replace(&mut self.disorder, disorder) != disorder
    }
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_stamps {
            return self.poll_receive(cx, buffer);
        }
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        self.last = Arrival::now();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that were read 1 s after their earliest possible arrival.
    fn check(age_ms: Option<u64>, expected_late_ms: u64) {
        let earliest = Instant::now();
        let read = earliest + Duration::from_secs(1);
        let age = age_ms.map(Duration::from_millis);
        let arrival = Arrival::new(read, age, earliest);
        let late = Duration::from_millis(expected_late_ms);
        assert_eq!(arrival.late(), late, "{age_ms:?}");
        // The same bound again changes nothing.
        assert_eq!(arrival.not_before(earliest).at, arrival.at, "{age_ms:?}");
    }

    #[test]
    fn an_arrival_follows_from_the_age_of_the_bytes() {
        check(Some(0), 0);
        check(Some(100), 100);
        check(Some(1000), 1000);
    }

    #[test]
    fn an_arrival_is_never_before_the_earliest_time() {
        check(Some(1001), 1000);
    }

    #[test]
    fn an_impossible_age_is_ignored() {
        // The clock was set forward by an hour, or backward.
        check(Some(3_600_000), 0);
        check(Some(1_002), 0);
        check(Some(u64::MAX), 0);
        check(None, 0);
    }

    #[test]
    fn bytes_that_may_have_waited_for_a_lost_segment_are_not_late() {
        let begin = Instant::now();
        let read = begin + Duration::from_secs(1);
        let late = |ms| Arrival::new(read, Some(Duration::from_millis(ms)), begin);
        assert_eq!(late(200).unless(|| true).late(), Duration::ZERO);
        assert_eq!(late(200).unless(|| false).at, late(200).at);
        let soon = late(1).unless(|| unreachable!("a millisecond is not worth a system call"));
        assert_eq!(soon.at, late(1).at);
    }

    #[test]
    fn a_later_bound_moves_the_arrival() {
        let begin = Instant::now();
        let read = begin + Duration::from_secs(1);
        let arrival = Arrival::new(read, Some(Duration::from_millis(500)), begin);
        let after = |ms| arrival.not_before(begin + Duration::from_millis(ms)).late();
        assert_eq!(after(100), Duration::from_millis(500));
        assert_eq!(after(501), Duration::from_millis(499));
        assert_eq!(after(600), Duration::ZERO);
    }
}
