//! A connection to a server: TCP, with TLS or without.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use super::arrival::Arrival;
use super::counted::{Counted, Traffic};
use super::failure::{Ends, Failure};
use super::network::Network;
use super::origin::Origin;
use super::proxy::Proxy;
use super::reply::TlsInfo;
use super::tls;

/// The time limit for a TCP connection; k6's.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// One VU's access to the network, with counts of the bytes sent and received.
pub(crate) struct Access {
    pub(crate) network: Arc<Network>,
    /// The address to connect from.
    local: Option<IpAddr>,
    traffic: Rc<Traffic>,
}

/// Either kind of stream.
pub(crate) enum Stream {
    Plain(Counted),
    Tls(Box<TlsStream<Counted>>),
}

/// An established connection.
pub(crate) struct Connection {
    pub(crate) origin: Origin,
    pub(crate) stream: Stream,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) tls: Option<TlsInfo>,
    speaks_http2: bool,
    /// The proxy that needs the full URL in the request line.
    pub(crate) proxy: Option<Proxy>,
}

/// How long it took to connect.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConnectTimings {
    pub(crate) connecting: Duration,
    pub(crate) tls_handshaking: Duration,
}

impl Access {
    /// The access of the VU with this number, from 1.
    pub(crate) fn new(network: Arc<Network>, vu: u64) -> Self {
        Self {
            local: network.local_address(vu),
            network,
            traffic: Rc::default(),
        }
    }

    /// Takes the bytes sent and received since the last call.
    pub(crate) fn take_traffic(&self) -> (u64, u64) {
        self.traffic.take()
    }
}

impl Connection {
    /// Connects for HTTP/1.1 or WebSocket. `dialed` is filled as far as the connection got.
    ///
    /// # Errors
    /// There is no address, no connection or no TLS session.
    pub(crate) async fn open(
        origin: Origin,
        access: &Rc<Access>,
        dialed: &mut ConnectTimings,
    ) -> Result<Self, Failure> {
        Self::connect(origin, access, dialed, tls::Offer::Http1).await
    }

    /// Connects for the version of HTTP that the server chooses.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(crate) async fn open_any(
        origin: Origin,
        access: &Rc<Access>,
        dialed: &mut ConnectTimings,
    ) -> Result<Self, Failure> {
        Self::connect(origin, access, dialed, tls::Offer::Any).await
    }

    async fn connect(
        origin: Origin,
        access: &Rc<Access>,
        dialed: &mut ConnectTimings,
        offer: tls::Offer,
    ) -> Result<Self, Failure> {
        let network = &access.network;
        let proxy = network.proxies.of(&origin);
        let (host, port) = match proxy {
            Some(proxy) => proxy.address()?,
            None => (origin.host.as_str(), origin.port),
        };
        let address = network.address_of(host, port).await?;
        let begin = Instant::now();
        let tcp = dial(address, access.local).await?;
        dialed.connecting = begin.elapsed();
        let remote = Some(address);
        let mut counted = Counted::new(tcp, &access.traffic);
        if !origin.is_tls {
            return Ok(Self {
                origin,
                stream: Stream::Plain(counted),
                remote,
                tls: None,
                speaks_http2: false,
                proxy: proxy.cloned(),
            });
        }
        if let Some(proxy) = proxy {
            proxy.tunnel(&mut counted, &origin).await?;
        }
        let begin = Instant::now();
        let secured = tls::handshake(&origin.host, counted, network.tls()?, offer).await?;
        dialed.tls_handshaking = begin.elapsed();
        Ok(Self {
            origin,
            stream: Stream::Tls(Box::new(secured.stream)),
            remote,
            tls: Some(secured.info),
            speaks_http2: secured.speaks_http2,
            proxy: None,
        })
    }

    /// Whether HTTP/2 was agreed.
    pub(crate) fn speaks_http2(&self) -> bool {
        self.speaks_http2
    }

    /// Whether the server has neither closed the connection nor sent unsolicited bytes.
    pub(crate) fn is_usable(&self) -> bool {
        let mut probe = [0];
        match self.stream.counted().tcp.tcp().try_read(&mut probe) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            // TLS 1.3 session tickets may arrive at any time, but they were read with the first response
            // after the handshake; anything else makes the stream useless.
            Ok(_) => false,
        }
    }
}

impl Stream {
    /// The arrival of the bytes that were read last.
    pub(crate) fn arrival(&self) -> Arrival {
        self.counted().tcp.arrival()
    }

    /// The local address and the peer's, as long as there is a connection.
    pub(crate) fn ends(&self) -> Option<Ends> {
        self.counted().tcp.ends()
    }

    /// Tells the stream that nothing was in flight at `begin`: the bytes that are read next arrive later.
    pub(crate) fn begin(&mut self, begin: Instant) {
        let counted = match self {
            Self::Plain(counted) => counted,
            Self::Tls(stream) => stream.get_mut().0,
        };
        counted.tcp.begin(begin);
    }

    pub(crate) fn counted(&self) -> &Counted {
        match self {
            Self::Plain(counted) => counted,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// A stream to an address, for any protocol.
///
/// # Errors
/// When there is no connection.
pub(crate) async fn plain(access: &Access, address: SocketAddr) -> Result<Counted, Failure> {
    let tcp = dial(address, access.local).await?;
    Ok(Counted::new(tcp, &access.traffic))
}

async fn dial(address: SocketAddr, local: Option<IpAddr>) -> Result<TcpStream, Failure> {
    let failed = |error: io::Error| Failure::dial(&address.to_string(), &error);
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(failed)?;
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0)).map_err(failed)?;
    }
    let connected = timeout(DIAL_TIMEOUT, socket.connect(address)).await;
    let tcp = connected
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            // Too many servers close without a `close_notify` alert to treat this as an error; Go does not
            // either.
            Self::Tls(stream) => match ready!(Pin::new(stream).poll_read(cx, buffer)) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                other => Poll::Ready(other),
            },
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
