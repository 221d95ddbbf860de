//! A connection to a server: TCP, with TLS or without.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use super::failure::Failure;
use super::network::Network;
use super::reply::TlsInfo;
use super::tls;

/// How long a TCP connection may take; k6's.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes on the wire of one VU.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: Cell<u64>,
    pub(crate) received: Cell<u64>,
}

/// A TCP stream that counts.
pub(crate) struct Counted {
    tcp: TcpStream,
    traffic: Rc<Traffic>,
}

/// Either kind of stream.
pub(crate) enum Stream {
    Plain(Counted),
    Tls(Box<TlsStream<Counted>>),
}

/// Which connections are interchangeable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) is_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// An established connection.
pub(crate) struct Connection {
    pub(crate) origin: Origin,
    pub(crate) stream: Stream,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) tls: Option<TlsInfo>,
}

/// How long it took to connect.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dialed {
    pub(crate) connecting: Duration,
    pub(crate) tls_handshaking: Duration,
}

impl Connection {
    /// Connects. `dialed` is filled as far as it came.
    pub(crate) async fn open(
        origin: Origin,
        network: &Arc<Network>,
        traffic: &Rc<Traffic>,
        dialed: &mut Dialed,
    ) -> Result<Self, Failure> {
        let address = network.address_of(&origin.host, origin.port).await?;
        let begin = Instant::now();
        let tcp = dial(address, network).await?;
        dialed.connecting = begin.elapsed();
        let remote = Some(address);
        let counted = Counted {
            tcp,
            traffic: Rc::clone(traffic),
        };
        if !origin.is_tls {
            return Ok(Self {
                origin,
                stream: Stream::Plain(counted),
                remote,
                tls: None,
            });
        }
        let begin = Instant::now();
        let stream = tls::handshake(&origin.host, counted, network).await?;
        dialed.tls_handshaking = begin.elapsed();
        let info = tls::describe(&stream);
        Ok(Self {
            origin,
            stream: Stream::Tls(Box::new(stream)),
            remote,
            tls: Some(info),
        })
    }

    /// Whether the server has neither closed the connection nor sent anything unasked.
    pub(crate) fn is_usable(&self) -> bool {
        let tcp = match &self.stream {
            Stream::Plain(counted) => &counted.tcp,
            Stream::Tls(stream) => &stream.get_ref().0.tcp,
        };
        let mut probe = [0];
        match tcp.try_read(&mut probe) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            // TLS 1.3 session tickets may arrive at any time, but they were read by the handshake's
            // first response; anything else makes the stream useless.
            Ok(_) => false,
        }
    }
}

async fn dial(address: SocketAddr, network: &Network) -> Result<TcpStream, Failure> {
    let failed = |error: io::Error| Failure::dial(&address.to_string(), &error);
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(failed)?;
    if let Some(local) = network.local_address() {
        socket.bind(SocketAddr::new(local, 0)).map_err(failed)?;
    }
    let connected = timeout(DIAL_TIMEOUT, socket.connect(address)).await;
    let tcp = connected
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        let received = (buffer.filled().len() - before) as u64;
        self.traffic
            .received
            .set(self.traffic.received.get() + received);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.tcp).poll_write(cx, bytes))?;
        self.traffic
            .sent
            .set(self.traffic.sent.get() + count as u64);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
