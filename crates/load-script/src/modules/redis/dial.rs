//! The connections of a client, which follow the options of the run: names, blocked addresses, source addresses, TLS.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use http_client::TlsConfig;
use http_client::bare::{self, Bare, BareError, Target, TargetTls};
use redis_client::{Dial, DialError, Wire};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::settings::OwnTls;
use crate::vu::state::VuState;

/// The function that makes connections for a VU.
pub(super) fn dial(vu: &VuState, own: Option<&OwnTls>) -> Dial {
    let network = Rc::clone(&vu.client);
    let tls = own.map(|own| config(vu, own));
    Rc::new(move |address| {
        let (network, tls) = (Rc::clone(&network), tls.clone());
        async move {
            let target = target(&address, tls)?;
            let opened = bare::open(&network, &target).await;
            let wire = opened.map_err(refused)?;
            Ok(Box::new(Stream(wire)) as Box<dyn Wire>)
        }
        .boxed_local()
    })
}

/// The TLS settings of the run, with the client's own certificates.
fn config(vu: &VuState, own: &OwnTls) -> TlsConfig {
    let mut config = crate::network::tls(vu.run.options());
    let theirs = std::mem::take(&mut config.client_certificates);
    config.client_certificates = own.certificate.iter().cloned().chain(theirs).collect();
    config.roots.clone_from(&own.authorities);
    config
}

/// The target of an address; the error messages are Go's.
fn target(address: &str, tls: Option<TlsConfig>) -> Result<Target, DialError> {
    let wrong = |why: String| DialError {
        why,
        is_final: false,
    };
    let split = address.rsplit_once(':');
    let missing = || wrong(format!("address {address}: missing port in address"));
    let (host, port) = split.ok_or_else(missing)?;
    let invalid = || wrong(format!("dial tcp: address {port}: invalid port"));
    let port = port.parse().map_err(|_| invalid())?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let tls = tls.map(|config| TargetTls {
        config,
        server_name: host.clone(),
        needs_http2: false,
    });
    Ok(Target { host, port, tls })
}

/// The codes of addresses that the run's options forbid.
const FORBIDDEN: [u16; 2] = [1110, 1111];

fn refused(error: BareError) -> DialError {
    let (BareError::Dial(failure) | BareError::Handshake(failure)) = error;
    let is_final = FORBIDDEN.contains(&failure.code);
    // If the peer does not use TLS, the log text is about HTTP.
    let why = match failure.code {
        1301 => failure.message,
        _ => failure.detail,
    };
    DialError { why, is_final }
}

/// A connection of the VU.
struct Stream(Bare);

impl Wire for Stream {
    fn ends(&self) -> String {
        let ends = self.0.ends();
        ends.map_or(String::new(), |ends| ends.to_string())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
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
