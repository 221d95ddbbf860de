use super::{
    CloseError, Decoder, Event, ProtocolError, accept_of, close, deflated_message, message,
    new_key, ping, pong,
};

fn decode(bytes: &[u8]) -> Result<Vec<Event>, ProtocolError> {
    let mut decoder = Decoder::new(70_000);
    decoder.feed(bytes);
    let mut events = Vec::new();
    while let Some(event) = decoder.next_event()? {
        events.push(event);
    }
    Ok(events)
}

#[track_caller]
fn check(bytes: &[u8], expected: Event) {
    assert_eq!(decode(bytes), Ok(vec![expected]));
}

#[test]
fn the_examples_of_rfc_6455_are_decoded() {
    check(b"\x81\x05Hello", Event::Text("Hello".to_owned()));
    check(b"\x01\x03Hel\x80\x02lo", Event::Text("Hello".to_owned()));
    check(b"\x89\x05Hello", Event::Ping(b"Hello".to_vec()));
    check(b"\x8a\x00", Event::Pong(Vec::new()));
    check(
        &[b"\x82\x7e\x01\x00", &[7; 256][..]].concat(),
        Event::Binary(vec![7; 256]),
    );
    check(
        &[b"\x82\x7f\0\0\0\0\0\x01\0\0", &[7; 65_536][..]].concat(),
        Event::Binary(vec![7; 65_536]),
    );
    check(
        b"\x88\x00",
        Event::Close {
            code: None,
            reason: String::new(),
        },
    );
    check(
        b"\x88\x05\x03\xe8bye",
        Event::Close {
            code: Some(1000),
            reason: "bye".to_owned(),
        },
    );
    assert_eq!(
        accept_of("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[test]
fn frames_are_masked_as_in_the_example() {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    assert_eq!(
        message(true, b"Hello", mask),
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    );
    assert_eq!(message(false, &[0; 300], [0; 4])[..4], [0x82, 0xfe, 1, 44]);
    assert_eq!(
        message(false, &[0; 65_536], [0; 4])[..10],
        [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]
    );
    assert_eq!(
        (ping(&[1; 200], mask).len(), pong(b"a", mask)[0]),
        (131, 0x8a)
    );
}

#[test]
fn a_control_frame_may_arrive_between_fragments() {
    let events = decode(b"\x01\x01a\x89\x01p\x80\x01b");
    assert_eq!(
        events,
        Ok(vec![
            Event::Ping(b"p".to_vec()),
            Event::Text("ab".to_owned())
        ])
    );
}

#[test]
fn bytes_may_arrive_one_by_one() {
    let mut decoder = Decoder::new(10);
    for byte in b"\x81\x02h" {
        decoder.feed(&[*byte]);
        assert_eq!(decoder.next_event(), Ok(None));
    }
    decoder.feed(b"i");
    assert_eq!(decoder.next_event(), Ok(Some(Event::Text("hi".to_owned()))));
}

#[test]
fn what_a_server_must_not_send_fails_the_connection() {
    for (bytes, code) in [
        (&b"\xc1\x00"[..], 1002),
        (b"\x81\x80", 1002),
        (b"\x83\x00", 1002),
        (b"\x80\x00", 1002),
        (b"\x01\x00\x81\x00", 1002),
        (b"\x09\x00", 1002),
        (b"\x89\x7e\x00\x7e", 1002),
        (b"\x88\x01\x03", 1002),
        (b"\x88\x02\x03\xed", 1002),
        (b"\x81\x01\xff", 1007),
        (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 1009),
    ] {
        assert_eq!(
            decode(bytes).map_err(ProtocolError::close_code),
            Err(code),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn a_close_frame_carries_a_code_that_may_be_sent() {
    assert_eq!(close(None, "", [0; 4]), Ok(vec![0x88, 0x80, 0, 0, 0, 0]));
    assert_eq!(
        close(Some(1001), "x", [0; 4]),
        Ok(vec![0x88, 0x83, 0, 0, 0, 0, 3, 0xe9, b'x'])
    );
    assert_eq!(close(Some(1005), "", [0; 4]), Err(CloseError::Code(1005)));
    assert_eq!(
        close(Some(1000), &"x".repeat(124), [0; 4]),
        Err(CloseError::LongReason(124))
    );
}

#[test]
fn keys_are_sixteen_fresh_bytes() {
    let (a, b) = (new_key().expect("random"), new_key().expect("random"));
    assert!(a.len() == 24 && a != b);
}

/// A client's frame without the mask, as a server would send it.
fn unmasked(frame: &[u8]) -> Vec<u8> {
    let header_bytes = match frame[1] & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let (header, rest) = frame.split_at(header_bytes);
    let (mask, payload) = rest.split_at(4);
    assert_eq!(mask, [0; 4], "a mask of zeros changes nothing");
    let mut bytes = header.to_vec();
    bytes[1] &= 0x7f;
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn compressed_messages_are_decoded_when_negotiated() {
    for text in ["", "Hello", &"lorem ipsum ".repeat(20_000)] {
        let frame = unmasked(&deflated_message(true, text.as_bytes(), [0; 4]));
        let mut decoder = Decoder::new(1 << 20);
        decoder.inflate();
        decoder.feed(&frame);
        assert_eq!(decoder.next_event(), Ok(Some(Event::Text(text.to_owned()))));
        assert!(decode(&frame).is_err(), "nothing was agreed on");
    }
}

#[test]
fn a_compressed_message_cannot_grow_beyond_the_limit() {
    let frame = unmasked(&deflated_message(false, &[0; 100_000], [0; 4]));
    let mut decoder = Decoder::new(50_000);
    decoder.inflate();
    decoder.feed(&frame);
    assert_eq!(decoder.next_event(), Err(ProtocolError::TooBig(50_000)));
}
