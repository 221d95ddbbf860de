//! Calls against an HTTP/2 server whose behaviour each test defines.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use grpc_client::call::{self, Head, Received, Reply, Unbegun};
use grpc_client::channel::{Channel, Dial, Refusal, Settings, Wire};
use grpc_client::frame;
use grpc_client::status::{Status, code};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::LocalSet;
use tokio::time::Instant;

/// The server's treatment of a request; the number is that of the connection, from 0.
type Handler =
    Rc<dyn Fn(usize, Request<RecvStream>, SendResponse<Bytes>) -> LocalBoxFuture<'static, Then>>;

/// The state of the connection after a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoesOn,
    GoesAway,
    Breaks,
}

async fn serve(wire: DuplexStream, number: usize, handler: Handler) {
    let Ok(mut connection) = h2::server::handshake(wire).await else {
        return;
    };
    // Requests are answered while the connection is polled, since it delivers their bodies.
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => running.push(handler(number, request, respond)),
                _ => return,
            },
            Some(then) = running.next() => match then {
                Then::GoesOn => {}
                Then::GoesAway => connection.graceful_shutdown(),
                Then::Breaks => return,
            },
        }
    }
}

fn dial(handler: Handler) -> Dial {
    let count = Rc::new(Cell::new(0));
    Rc::new(move || {
        let (ours, theirs) = duplex(1 << 16);
        let number = count.replace(count.get() + 1);
        tokio::task::spawn_local(serve(theirs, number, Rc::clone(&handler)));
        async move { Ok(Box::new(ours) as Box<dyn Wire>) }.boxed_local()
    })
}

fn settings() -> Settings {
    Settings {
        authority: "here".to_owned(),
        is_tls: false,
        user_agent: "test".to_owned(),
        max_receive_bytes: 100,
        max_send_bytes: 50,
    }
}

async fn connect(dial: Dial) -> Rc<Channel> {
    let soon = Instant::now() + Duration::from_secs(10);
    Channel::connect(dial, settings(), soon)
        .await
        .expect("it connects")
}

fn head() -> Head {
    Head {
        path: "/a.B/C".to_owned(),
        metadata: vec![("x-one".to_owned(), b"1".to_vec())],
        deadline: Some(Instant::now() + Duration::from_secs(20)),
    }
}

/// Runs a test with a channel to a server with this behaviour.
async fn with<H, F>(handler: H, test: impl FnOnce(Rc<Channel>) -> F)
where
    H: Fn(usize, Request<RecvStream>, SendResponse<Bytes>) -> LocalBoxFuture<'static, Then>
        + 'static,
    F: Future<Output = ()>,
{
    let local = LocalSet::new();
    local
        .run_until(async move { test(connect(dial(Rc::new(handler))).await).await })
        .await;
}

async fn reply_to(channel: &Rc<Channel>, message: &[u8]) -> Reply {
    call::unary(channel, &head(), message)
        .await
        .expect("it begins")
}

async fn body_of(request: Request<RecvStream>) -> Vec<u8> {
    let mut body = request.into_body();
    let mut all = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        let _ = body.flow_control().release_capacity(piece.len());
        all.extend_from_slice(&piece);
    }
    all
}

fn answer_head() -> Response<()> {
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(()).expect("a response")
}

fn trailers(status: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().expect("a value"));
    trailers
}

/// Sends pieces and a status.
fn answer(mut respond: SendResponse<Bytes>, pieces: Vec<Bytes>, status: &'static str) {
    let Ok(mut stream) = respond.send_response(answer_head(), false) else {
        return;
    };
    for piece in pieces {
        let _ = stream.send_data(piece, false);
    }
    let _ = stream.send_trailers(trailers(status));
}

#[tokio::test]
async fn a_message_goes_there_and_one_comes_back() {
    let echo = |_, request: Request<RecvStream>, respond| {
        async move {
            assert_eq!(request.uri().path(), "/a.B/C");
            assert_eq!(request.headers()["x-one"], "1");
            assert!(request.headers().contains_key("grpc-timeout"));
            let body = body_of(request).await;
            // In pieces that do not match the messages.
            let pieces = body.chunks(2).map(Bytes::copy_from_slice).collect();
            answer(respond, pieces, "0");
            Then::GoesOn
        }
        .boxed_local()
    };
    with(echo, |channel| async move {
        let reply = reply_to(&channel, b"hello").await;
        assert_eq!(reply.message.as_deref(), Some(&b"hello"[..]));
        assert_eq!(reply.status, Status::default());
        assert_eq!(reply.headers["content-type"], "application/grpc");
        let reply = reply_to(&channel, &[1; 51]).await;
        assert_eq!(reply.status.code, code::RESOURCE_EXHAUSTED);
    })
    .await;
}

#[tokio::test]
async fn answers_that_are_none_have_a_status() {
    let odd = |_, request: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
        async move {
            let body = body_of(request).await;
            match body[frame_header()..][0] {
                b'l' => answer(respond, vec![frame::encode(&[0; 101])], "0"),
                b'n' => answer(respond, vec![], "0"),
                b'2' => answer(respond, vec![frame::encode(b"1"), frame::encode(b"2")], "0"),
                b'h' => answer(respond, vec![Bytes::from_static(&[0, 0])], "0"),
                b'c' => answer(respond, vec![Bytes::from_static(&[1, 0, 0, 0, 0])], "0"),
                b's' => answer(respond, vec![], "x"),
                b'r' => respond.send_reset(Reason::CANCEL),
                b'p' => {
                    let page = Response::builder()
                        .status(503)
                        .header("content-type", "text/html");
                    let _ = respond.send_response(page.body(()).expect("a page"), true);
                }
                b't' => {
                    let stream = respond.send_response(answer_head(), false);
                    let _ = stream.and_then(|mut stream| stream.send_data(Bytes::new(), true));
                }
                _ => {
                    let mut only = answer_head();
                    only.headers_mut().extend(trailers("7"));
                    let _ = respond.send_response(only, true);
                }
            }
            Then::GoesOn
        }
        .boxed_local()
    };
    with(odd, |channel| async move {
        for (what, expected, part) in [
            (
                b"l",
                code::RESOURCE_EXHAUSTED,
                "larger than max (101 vs. 100)",
            ),
            (b"n", code::INTERNAL, "cardinality violation"),
            (b"2", code::UNKNOWN, "protocol violation"),
            (b"h", code::INTERNAL, "unexpected EOF"),
            (b"c", code::INTERNAL, "compressed flag"),
            (b"s", code::UNKNOWN, "malformed grpc-status"),
            (b"r", code::CANCELED, "RST_STREAM with error code: CANCEL"),
            (b"p", code::UNAVAILABLE, "503 (Service Unavailable)"),
            (b"t", code::INTERNAL, "without sending trailers"),
            (b"o", code::PERMISSION_DENIED, ""),
        ] {
            let reply = reply_to(&channel, what).await;
            assert_eq!(reply.status.code, expected, "{:?}", reply.status);
            assert!(reply.status.message.contains(part), "{:?}", reply.status);
        }
    })
    .await;
}

/// Bytes before a message on the wire.
fn frame_header() -> usize {
    frame::encode(b"").len()
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up() {
    let silent = |_, request, respond| {
        async move {
            tokio::task::spawn_local(async move {
                let _kept = (request, respond);
                std::future::pending::<()>().await;
            });
            Then::GoesOn
        }
        .boxed_local()
    };
    with(silent, |channel| async move {
        let short = Head {
            deadline: Some(Instant::now() + Duration::from_millis(20)),
            ..head()
        };
        let reply = call::unary(&channel, &short, b"x")
            .await
            .expect("it begins");
        assert_eq!(reply.status, Status::late());
        let closing = async {
            tokio::task::yield_now().await;
            channel.close();
        };
        let (reply, ()) = tokio::join!(reply_to(&channel, b"x"), closing);
        assert_eq!(reply.status.code, code::CANCELED);
        let unbegun = call::unary(&channel, &short, b"x").await.err();
        assert!(matches!(unbegun, Some(Unbegun::Late)));
        let unbegun = call::unary(&channel, &head(), b"x").await.err();
        assert!(matches!(unbegun, Some(Unbegun::Failed(status)) if status.code == code::CANCELED));
    })
    .await;
}

#[tokio::test]
async fn what_the_server_has_not_begun_with_is_sent_again() {
    let refusing = Rc::new(Cell::new(true));
    let refuse = move |_, request, mut respond: SendResponse<Bytes>| {
        let refusing = Rc::clone(&refusing);
        async move {
            if refusing.replace(false) {
                respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                let body = body_of(request).await;
                answer(respond, vec![body.into()], "0");
            }
            Then::GoesOn
        }
        .boxed_local()
    };
    with(refuse, |channel| async move {
        assert!(reply_to(&channel, b"x").await.status.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_new_connection_is_made_when_the_old_one_has_gone() {
    let leave = |number: usize, request, respond| {
        async move {
            let body = body_of(request).await;
            let then = match body[frame_header()..][0] {
                b'a' => Then::GoesAway,
                b'b' => return Then::Breaks,
                _ => Then::GoesOn,
            };
            let number = u8::try_from(number).expect("few");
            answer(respond, vec![frame::encode(&[number])], "0");
            then
        }
        .boxed_local()
    };
    with(leave, |channel| async move {
        let number = |reply: Reply| reply.message.map(|message| message[0]);
        assert_eq!(number(reply_to(&channel, b"a").await), Some(0));
        // The server has sent GOAWAY, which the client may or may not have read.
        let mut next = number(reply_to(&channel, b"x").await);
        while next == Some(0) {
            next = number(reply_to(&channel, b"x").await);
        }
        assert_eq!(next, Some(1));
        let broken = reply_to(&channel, b"b").await;
        assert_eq!(broken.status.code, code::UNAVAILABLE, "{:?}", broken.status);
        assert_eq!(number(reply_to(&channel, b"x").await), Some(2));
    })
    .await;
}

#[tokio::test]
async fn messages_go_both_ways_until_the_end() {
    let upper = |_, request: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
        async move {
            tokio::task::spawn_local(async move {
                let mut stream = respond.send_response(answer_head(), false).expect("open");
                let mut body = request.into_body();
                while let Some(Ok(piece)) = body.data().await {
                    let _ = body.flow_control().release_capacity(piece.len());
                    let _ = stream.send_data(piece, false);
                }
                let _ = stream.send_trailers(trailers("0"));
            });
            Then::GoesOn
        }
        .boxed_local()
    };
    with(upper, |channel| async move {
        let head = Head {
            deadline: None,
            ..head()
        };
        let (mut outgoing, mut incoming) = call::begin(&channel, &head).await.expect("begun");
        for message in [&b"one"[..], b"two", b""] {
            outgoing.send(message).expect("small");
            match incoming.next().await {
                Received::Message(found) => assert_eq!(found, message),
                Received::End(ended) => panic!("{:?}", ended.status),
            }
        }
        outgoing.finish();
        assert_eq!(
            outgoing.send(b"late").map_err(|status| status.code),
            Err(code::INTERNAL)
        );
        match incoming.next().await {
            Received::End(ended) => assert!(ended.status.is_ok()),
            Received::Message(message) => panic!("{message:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_of_another_protocol_is_named_when_the_time_is_over() {
    let local = LocalSet::new();
    let http1: Dial = Rc::new(|| {
        let (ours, mut theirs) = duplex(1024);
        tokio::task::spawn_local(async move {
            let _ = theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            std::future::pending::<()>().await;
        });
        async move { Ok(Box::new(ours) as Box<dyn Wire>) }.boxed_local()
    });
    let refused: Dial = Rc::new(|| {
        let refusal = Refusal::Final("no way".to_owned());
        async move { Err(refusal) }.boxed_local()
    });
    local
        .run_until(async {
            let soon = Instant::now() + Duration::from_millis(50);
            let error = Channel::connect(http1, settings(), soon).await.err();
            let error = error.expect("it cannot connect");
            assert!(
                error.starts_with("context deadline exceeded: connection error:"),
                "{error}"
            );
            assert!(error.contains("looked like an HTTP/1.1 header"), "{error}");
            let late = Instant::now() + Duration::from_secs(60);
            let error = Channel::connect(refused, settings(), late).await.err();
            assert_eq!(
                error.as_deref(),
                Some("connection error: desc = \"no way\"")
            );
        })
        .await;
}
