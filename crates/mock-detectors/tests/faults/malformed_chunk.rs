use serde_json::json;

use crate::probe::{End, Probe};

#[tokio::test]
async fn the_second_chunk_has_a_size_that_is_not_a_number() {
    let probe = Probe::failing(json!({"malformed_chunk": {}})).await;
    let seen = probe.detect().await;
    assert_eq!(seen.end, End::Closed);
    assert_eq!(seen.header("transfer-encoding").as_deref(), Some("chunked"));
    let (_, body) = seen.parts();
    let text = String::from_utf8(body).expect("text");
    let (size, rest) = text.split_once("\r\n").expect("a chunk's size");
    let size = usize::from_str_radix(size, 16).expect("the first size is good");
    assert_eq!(&rest[size..size + 6], "\r\nzz\r\n");
    probe.stop().await;
}
