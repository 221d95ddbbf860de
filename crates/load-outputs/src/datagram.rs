//! UDP sockets of outputs.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

/// A socket that sends to `receiver`. Nothing is sent yet; a missing receiver is noticed later, if at all.
///
/// # Errors
/// When the name has no address.
pub(crate) fn connect(receiver: impl ToSocketAddrs) -> io::Result<UdpSocket> {
    let address = receiver.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("the name has no address"))?;
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    Ok(socket)
}
