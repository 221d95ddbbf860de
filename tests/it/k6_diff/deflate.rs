//! A WebSocket server of another library that compresses messages, with and without TLS. It echoes
//! messages.

use soketto::extension::deflate::Deflate;
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use soketto::{Data, Mode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Starts both endpoints. Returns their addresses.
pub async fn start(acceptor: TlsAcceptor) -> (String, String) {
    let (plain, secure) = (bind().await, bind().await);
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    let addresses = (
        format!("ws://127.0.0.1:{}", port(&plain)),
        format!("wss://localhost:{}", port(&secure)),
    );
    tokio::spawn(async move {
        while let Ok((tcp, _)) = plain.accept().await {
            tokio::spawn(echo(tcp));
        }
    });
    tokio::spawn(async move {
        while let Ok((tcp, _)) = secure.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { echo(acceptor.accept(tcp).await.ok()?).await });
        }
    });
    addresses
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
    let mut server = Server::new(stream.compat());
    server.add_extension(Box::new(Deflate::new(Mode::Server)));
    let key = server.receive_request().await.ok()?.key();
    let accept = Response::Accept {
        key,
        protocol: None,
    };
    server.send_response(&accept).await.ok()?;
    let (mut sender, mut receiver) = server.into_builder().finish();
    loop {
        let mut message = Vec::new();
        match receiver.receive_data(&mut message).await.ok()? {
            Data::Text(_) => {
                let text = String::from_utf8(message).ok()?;
                sender.send_text(text).await.ok()?;
            }
            Data::Binary(_) => sender.send_binary(message).await.ok()?,
        }
        sender.flush().await.ok()?;
    }
}
