//! The same failures as frames.

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::probe::Probe;
use crate::secure;

/// The client's view of one request.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The status of the head.
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    pub(crate) error: Option<h2::Error>,
}

async fn exchange(mut sender: SendRequest<Bytes>, address: std::net::SocketAddr) -> Seen {
    let request = hyper::Request::post(format!("http://{address}/detect"))
        .body(())
        .expect("a valid request");
    let mut seen = Seen {
        status: None,
        body: Vec::new(),
        error: None,
    };
    let (response, mut stream) = sender
        .send_request(request, false)
        .expect("an open connection");
    let body = json!({ "content": "ada@example.org" }).to_string();
    stream.send_data(body.into(), true).expect("sent");
    let mut body = match response.await {
        Ok(response) => {
            seen.status = Some(response.status().as_u16());
            response.into_body()
        }
        Err(error) => {
            seen.error = Some(error);
            return seen;
        }
    };
    while let Some(data) = body.data().await {
        match data {
            Ok(data) => {
                drop(body.flow_control().release_capacity(data.len()));
                seen.body.extend_from_slice(&data);
            }
            Err(error) => {
                seen.error = Some(error);
                break;
            }
        }
    }
    seen
}

/// Sends one request to a detector that fails every request in this way.
pub(crate) async fn look(kind: Value) -> Seen {
    let profile = json!({ "success_rate": 0, "failures": [{ "kind": kind }] });
    let probe = Probe::with_http2(profile).await;
    let tcp = TcpStream::connect(probe.address).await.expect("up");
    let (sender, connection) = h2::client::handshake(tcp).await.expect("a preface");
    let connection = tokio::spawn(connection);
    let seen = exchange(sender, probe.address).await;
    connection.abort();
    probe.stop().await;
    seen
}

#[tokio::test]
async fn a_reset_after_bytes_of_the_body_breaks_the_connection_there() {
    let seen = look(json!({"reset": {"at": {"body_bytes": 12}}})).await;
    assert_eq!((seen.status, seen.body.len()), (Some(200), 12));
    let error = seen.error.expect("an error");
    assert!(error.is_io(), "{error:?}");
}

#[tokio::test]
async fn a_malformed_chunk_is_a_protocol_error_in_version_2() {
    let seen = look(json!({"malformed_chunk": {}})).await;
    assert_eq!(
        seen.error.and_then(|error| error.reason()),
        Some(Reason::PROTOCOL_ERROR)
    );
}

#[tokio::test]
async fn a_correct_answer_and_an_error_arrive() {
    let seen = look(json!({"status": {"code": 503}})).await;
    assert_eq!(seen.status, Some(503));
    assert!(seen.error.is_none());
}

#[tokio::test]
async fn a_hang_does_not_affect_other_streams() {
    let profile = json!({"success_rate": 1, "pattern": {"every_nth_fails": 2},
        "failures": [{"kind": {"hang": {}}}]});
    let probe = Probe::with_http2(profile).await;
    let tcp = TcpStream::connect(probe.address).await.expect("up");
    let (sender, connection) = h2::client::handshake(tcp).await.expect("a preface");
    let connection = tokio::spawn(connection);
    assert_eq!(
        exchange(sender.clone(), probe.address).await.status,
        Some(200)
    );
    let hanging = tokio::spawn(exchange(sender.clone(), probe.address));
    // The second hangs once it is in the journal; then the third must still come through.
    while probe.recorded() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(exchange(sender, probe.address).await.status, Some(200));
    assert!(!hanging.is_finished());
    hanging.abort();
    connection.abort();
    probe.stop().await;
}

#[tokio::test]
async fn version_2_is_negotiated_by_alpn() {
    let probe = Probe::secure(json!({}), true).await;
    let tls = secure::connect(&probe, &[b"h2", b"http/1.1"])
        .await
        .expect("a handshake");
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = h2::client::handshake(tls).await.expect("a preface");
    let connection = tokio::spawn(connection);
    let seen = exchange(sender, probe.address).await;
    assert_eq!(seen.status, Some(200));
    connection.abort();
    probe.stop().await;
}

#[tokio::test]
async fn version_1_is_still_supported_besides_version_2() {
    let probe = Probe::with_http2(json!({})).await;
    assert_eq!(probe.detect().await.status(), 200);
    probe.stop().await;
}
