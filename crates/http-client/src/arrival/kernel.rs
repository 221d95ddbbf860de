//! Arrival times of bytes as Linux records them.

use std::io;
use std::mem::size_of_val;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::net::{TcpSocket, TcpStream};

/// A piece of a stream.
pub(super) struct Received {
    /// The buffer had room for more.
    pub(super) is_all: bool,
    /// The arrival of its last byte: wall-clock time since 1970.
    pub(super) stamp: Option<Duration>,
}

/// Space for the one requested control message, with its alignment.
type Control = [u64; 4];

/// `struct tcp_info` up to the field that is read; the C library's own definition is shorter.
type Info = [u32; 58];
/// The offset of `tcpi_rcv_ooopack`.
const OUT_OF_ORDER: usize = 56;

/// Asks the kernel to record arrivals at this socket. Returns whether it does.
pub(super) fn note_arrivals(tcp: &TcpStream) -> bool {
    // The kernel rewrites its own code when the first socket wants stamps and when the last one is closed,
    // which takes longer than a request. One socket that stays open limits this to once.
    static KEPT: OnceLock<Option<TcpSocket>> = OnceLock::new();
    KEPT.get_or_init(|| TcpSocket::new_v4().ok().filter(want_stamps));
    want_stamps(tcp)
}

fn want_stamps(socket: &impl AsRawFd) -> bool {
    let on: libc::c_int = 1;
    // SAFETY: the value is an int of the given length.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    status == 0
}

/// Reads the available bytes without waiting.
///
/// # Errors
/// `WouldBlock` when there is nothing; otherwise the error of the connection.
pub(super) fn receive(tcp: &TcpStream, buffer: &mut ReadBuf<'_>) -> io::Result<Received> {
    let mut control = Control::default();
    // SAFETY: nothing is taken out of the buffer, and the kernel only writes initialised bytes.
    let room = unsafe { buffer.unfilled_mut() };
    let room_bytes = room.len();
    let mut piece = libc::iovec {
        iov_base: room.as_mut_ptr().cast(),
        iov_len: room_bytes,
    };
    // SAFETY: all zeros are a valid, empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the message points to live memory, with its true lengths.
    let count = unsafe { libc::recvmsg(tcp.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has written this many bytes.
    unsafe { buffer.assume_init(count) };
    buffer.advance(count);
    Ok(Received {
        is_all: (1..room_bytes).contains(&count),
        stamp: stamp_of(&message),
    })
}

fn stamp_of(message: &libc::msghdr) -> Option<Duration> {
    // SAFETY: the kernel has written the control messages and their length.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: the pointer is null or points to a whole header inside the message's control messages.
    while let Some(header) = unsafe { next.as_ref() } {
        if (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
            // SAFETY: the header belongs to the message.
            let data = unsafe { libc::CMSG_DATA(header) }.cast::<libc::timespec>();
            // SAFETY: this control message is a `timespec`, for which the buffer has room.
            let time = unsafe { data.read_unaligned() };
            let seconds = u64::try_from(time.tv_sec).ok()?;
            let nanos = u32::try_from(time.tv_nsec).ok()?;
            return Some(Duration::new(seconds, nanos));
        }
        // SAFETY: as above.
        next = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

/// The number of segments that arrived out of order; `None` when the kernel (before 5.4) does not count.
pub(super) fn out_of_order(tcp: &TcpStream) -> Option<u32> {
    let mut info: Info = [0; 58];
    let whole = size_of_val(&info) as libc::socklen_t;
    let mut length = whole;
    // SAFETY: the kernel writes no more than the given length.
    let status = unsafe {
        libc::getsockopt(
            tcp.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (status == 0 && length == whole).then_some(info[OUT_OF_ORDER])
}
