//! Faults below HTTP: exact bytes, then a reset, an end or silence.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use service_runtime::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::stream::Stream;

/// The plan for a connection that was taken over from HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Sent first, exactly these.
    pub(crate) bytes: Bytes,
    pub(crate) end: End,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// FIN.
    Close,
    /// RST.
    Reset,
    /// Nothing, until the peer disconnects or the server stops.
    Hang,
}

/// Bytes that a peer sends to a hanging connection are read and dropped, up to this many at once.
const DISCARD_BYTES: usize = 4096;

/// Executes a plan. Errors mean that the peer disconnected first.
pub(crate) async fn carry_out(mut stream: Stream, plan: Plan, stop: &Shutdown) -> io::Result<()> {
    let write = async {
        stream.write_all(&plan.bytes).await?;
        stream.flush().await
    };
    tokio::select! {
        written = write => written?,
        () = stop.cancelled() => return Ok(()),
    }
    match plan.end {
        End::Close => close(stream, stop).await,
        End::Reset => {
            wait_until_sent(&stream).await;
            stream.tcp().set_zero_linger()
        }
        End::Hang => {
            hang(stream, stop).await;
            Ok(())
        }
    }
}

/// Half-closes, then reads what the peer still sends: closing with unread bytes would be a reset.
async fn close(mut stream: Stream, stop: &Shutdown) -> io::Result<()> {
    stream.shutdown().await?;
    let read = tokio::time::timeout(Duration::from_secs(1), discard(&mut stream));
    tokio::select! {
        _ = read => {}
        () = stop.cancelled() => {}
    }
    Ok(())
}

async fn hang(mut stream: Stream, stop: &Shutdown) {
    tokio::select! {
        () = discard(&mut stream) => {}
        () = stop.cancelled() => {}
    }
}

/// Reads and drops data until the peer closes.
pub(crate) async fn discard(stream: &mut (impl AsyncRead + Unpin)) {
    let mut bytes = vec![0; DISCARD_BYTES];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

/// A reset throws away what the kernel has not sent yet, so "reset after k bytes" waits for them, for at most a
/// second: a peer that does not read must not delay the fault.
async fn wait_until_sent(stream: &Stream) {
    for _ in 0..1_000 {
        match unsent_bytes(stream) {
            Ok(0) | Err(_) => return,
            Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

#[cfg(target_os = "linux")]
fn unsent_bytes(stream: &Stream) -> io::Result<i32> {
    /// Bytes in the send queue that were not sent (`linux/sockios.h`).
    const SIOCOUTQNSD: rustix::ioctl::Opcode = 0x894B;
    // SAFETY: SIOCOUTQNSD writes one int, as tcp(7) documents.
    let getter = unsafe { rustix::ioctl::Getter::<SIOCOUTQNSD, i32>::new() };
    // SAFETY: as above; the descriptor is an open TCP socket, borrowed for the call.
    Ok(unsafe { rustix::ioctl::ioctl(stream.tcp(), getter) }?)
}

#[cfg(not(target_os = "linux"))]
fn unsent_bytes(_stream: &Stream) -> io::Result<i32> {
    Err(io::ErrorKind::Unsupported.into())
}
