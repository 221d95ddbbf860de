//! A bare connection, for protocols that this crate does not implement.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::client::Client;
use super::config::TlsConfig;
use super::connection::{self, Stream};
use super::failure::{Ends, Failure};
use super::tls::{self, Offer};

/// The address to connect to, and the protocols.
#[derive(Debug, Clone)]
pub struct Target {
    pub host: String,
    pub port: u16,
    pub tls: Option<TargetTls>,
}

/// TLS on the way to a target.
#[derive(Debug, Clone)]
pub struct TargetTls {
    pub config: TlsConfig,
    /// The host that the server's certificate has to be valid for.
    pub server_name: String,
    /// Both ends have to agree on HTTP/2. Otherwise no protocol is offered.
    pub needs_http2: bool,
}

/// The reason why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BareError {
    /// No connection to the address.
    Dial(Failure),
    /// No TLS session.
    Handshake(Failure),
}

/// A connection. Its bytes are counted as the VU's.
pub struct Bare(Stream);

/// Whether the TLS settings of a target can be used.
///
/// # Errors
/// When a certificate or a key cannot be read.
pub fn check(client: &Client, target: &Target) -> Result<(), Failure> {
    match &target.tls {
        Some(tls) => client.access().network.own_tls(&tls.config).map(drop),
        None => Ok(()),
    }
}

/// Connects.
///
/// # Errors
/// When there is no connection, or no TLS session as requested.
pub async fn open(client: &Client, target: &Target) -> Result<Bare, BareError> {
    let access = client.access();
    let network = &access.network;
    let address = network.address_of(&target.host, target.port).await;
    let address = address.map_err(BareError::Dial)?;
    let plain = connection::plain(access, address).await;
    let plain = plain.map_err(BareError::Dial)?;
    let Some(wanted) = &target.tls else {
        return Ok(Bare(Stream::Plain(plain)));
    };
    let settings = network
        .own_tls(&wanted.config)
        .map_err(BareError::Handshake)?;
    let offer = match wanted.needs_http2 {
        true => Offer::Http2,
        false => Offer::Http1,
    };
    let secured = tls::handshake(&wanted.server_name, plain, &settings, offer).await;
    let secured = secured.map_err(BareError::Handshake)?;
    if wanted.needs_http2 && !secured.speaks_http2 {
        let why = "credentials: cannot check peer: missing selected ALPN property";
        return Err(BareError::Handshake(Failure::new(1300, why)));
    }
    Ok(Bare(Stream::Tls(Box::new(secured.stream))))
}

impl Bare {
    /// Our address and the server's, if they are known.
    pub fn ends(&self) -> Option<Ends> {
        self.0.counted().tcp.ends()
    }
}

impl AsyncRead for Bare {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Bare {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
