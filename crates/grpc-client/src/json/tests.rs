use std::sync::{Arc, OnceLock};

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::{Unset, decode, encode};
use crate::schema::Schema;

const FILE: &str = r#"
    syntax = "proto3";
    package t;
    import "google/protobuf/any.proto";
    import "google/protobuf/duration.proto";
    import "google/protobuf/empty.proto";
    import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";
    import "old.proto";
    enum Colour { NONE = 0; RED = 1; BACK = -1; }
    message Text { string text = 1; }
    message All {
        double f64 = 1; float f32 = 2; int32 i32 = 3; int64 i64 = 4; uint32 u32 = 5; uint64 u64 = 6;
        bool yes = 7; string text = 8; bytes raw = 9; Colour colour = 10; Text inner = 11;
        optional int32 perhaps = 12; repeated int64 longs = 13; repeated Text texts = 14;
        map<string, int32> counts = 15; map<int64, Text> numbered = 16; map<bool, Colour> truths = 17;
        oneof choice { string word = 18; int32 number = 19; }
        string renamed_field = 20 [json_name = "other"];
        google.protobuf.Timestamp at = 21; google.protobuf.Duration lasts = 22;
        google.protobuf.FieldMask mask = 23; google.protobuf.Struct object = 24;
        google.protobuf.Value anything = 25; google.protobuf.ListValue list = 26;
        google.protobuf.Any packed = 27; google.protobuf.Empty empty = 28;
        google.protobuf.Int64Value wrapped = 29; google.protobuf.NullValue nothing = 30;
        t.Old old = 31; All deeper = 32;
    }
"#;

const OLD: &str = r#"
    syntax = "proto2";
    package t;
    message Old {
        required string name = 1; optional int32 size = 2 [default = 7];
        optional group Place = 3 { optional string town = 4; }
        extensions 100 to 199;
    }
    extend Old { optional string nickname = 100; }
"#;

fn all() -> MessageDescriptor {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let open = |name: &str| match name {
            "old.proto" => Ok(OLD.to_owned()),
            _ => Ok(FILE.to_owned()),
        };
        Schema::compile(Arc::new(open), &["all.proto".to_owned()]).expect("it compiles")
    });
    schema
        .pool()
        .get_message_by_name("t.All")
        .expect("it is there")
}

/// The message over the wire and back to JSON.
fn there_and_back(text: &str) -> Result<String, String> {
    let message = decode(&all(), text)?;
    let message = DynamicMessage::decode(all(), message.encode_to_vec().as_slice());
    encode(&message.map_err(|error| error.to_string())?, Unset::Omitted)
}

#[test]
fn values_have_the_notations_of_protobuf() {
    let same = [
        r#"{"f64":1.5,"f32":0.1,"i32":-5,"i64":"9007199254740993","u64":"18446744073709551615"}"#,
        r#"{"f64":"NaN","f32":"-Infinity"}"#,
        r#"{"yes":true,"text":"ü \" \\ \u0000","raw":"aGk=","colour":"RED","inner":{"text":"x"}}"#,
        r#"{"colour":77}"#,
        r#"{"perhaps":0}"#,
        r#"{"longs":["1","-2"],"texts":[{"text":"a"},{}]}"#,
        r#"{"counts":{"a":1,"b":2},"numbered":{"-1":{},"5":{"text":"x"}},"truths":{"false":"BACK","true":"RED"}}"#,
        r#"{"word":""}"#,
        r#"{"other":"x"}"#,
        r#"{"at":"2024-01-02T03:04:05.120Z","lasts":"-0.000000001s","mask":"a.b,cD"}"#,
        r#"{"object":{"a":1.0,"b":[true,null,"x",{"c":1.5}]},"list":[1.0,"a",null]}"#,
        r#"{"anything":null}"#,
        r#"{"packed":{"@type":"type.googleapis.com/t.Text","text":"in"},"empty":{}}"#,
        r#"{"packed":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}"#,
        r#"{"packed":{"@type":"x/google.protobuf.Empty","value":{}}}"#,
        r#"{"packed":{}}"#,
        r#"{"wrapped":"0"}"#,
        r#"{"old":{"name":"n","size":3,"place":{"town":"t"},"[t.nickname]":"nick"}}"#,
    ];
    for text in same {
        assert_eq!(there_and_back(text).as_deref(), Ok(text));
    }
}

#[test]
fn other_notations_are_understood() {
    for (text, expected) in [
        (
            r#"{"i32":"12","u32":1e3,"i64":2.0,"f64":"1.5","f32":2}"#,
            r#"{"f64":1.5,"f32":2.0,"i32":12,"i64":"2","u32":1000}"#,
        ),
        (r#"{"raw":"_-8"}"#, r#"{"raw":"/+8="}"#),
        (
            r#"{"colour":1,"renamed_field":"x"}"#,
            r#"{"colour":"RED","other":"x"}"#,
        ),
        (
            r#"{"text":null,"longs":null,"inner":null,"nothing":null,"word":null,"number":1}"#,
            r#"{"number":1}"#,
        ),
        (
            r#"{"text":"\ud83d\ude00\ud800x"}"#,
            "{\"text\":\"\u{1f600}\u{fffd}x\"}",
        ),
        (
            r#"{"packed":{"text":"in","@type":"t.Text"}}"#,
            r#"{"packed":{"@type":"t.Text","text":"in"}}"#,
        ),
        (
            r#"{"old":{"name":"n","Place":{}}}"#,
            r#"{"old":{"name":"n","place":{}}}"#,
        ),
        (
            " { \"yes\" : true ,\n\"inner\":{ } } ",
            r#"{"yes":true,"inner":{}}"#,
        ),
    ] {
        assert_eq!(there_and_back(text).as_deref(), Ok(expected));
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, expected) in [
        (
            r#"{"nope":1}"#,
            r#"proto: (line 1:2): unknown field "nope""#,
        ),
        (
            r#"{"text":"üü","nope":1}"#,
            r#"proto: (line 1:14): unknown field "nope""#,
        ),
        (
            r#"{"i32":"x"}"#,
            r#"proto: (line 1:8): invalid value for int32 field i32: "x""#,
        ),
        (
            r#"{"i32":1.5}"#,
            "proto: (line 1:8): invalid value for int32 field i32: 1.5",
        ),
        (
            r#"{"u32":-1}"#,
            "proto: (line 1:8): invalid value for uint32 field u32: -1",
        ),
        (
            r#"{"f32":1e39}"#,
            "proto: (line 1:8): invalid value for float field f32: 1e39",
        ),
        (
            r#"{"yes":1}"#,
            "proto: (line 1:8): invalid value for bool field yes: 1",
        ),
        (
            r#"{"raw":[1]}"#,
            "proto: (line 1:8): invalid value for bytes field raw: [",
        ),
        (
            r#"{"colour":"red"}"#,
            r#"proto: (line 1:11): invalid value for enum field colour: "red""#,
        ),
        (
            r#"{"inner":"x"}"#,
            r#"proto: syntax error (line 1:10): unexpected token "x""#,
        ),
        (
            r#"{"texts":[null]}"#,
            "proto: syntax error (line 1:11): unexpected token null",
        ),
        (
            r#"{"longs":[null]}"#,
            "proto: (line 1:11): invalid value for int64 field longs: null",
        ),
        (
            r#"{"numbered":{"x":{}}}"#,
            r#"proto: (line 1:14): invalid value for int64 key: "x""#,
        ),
        (
            r#"{"counts":{"a":null}}"#,
            "proto: (line 1:16): invalid value for int32 field value: null",
        ),
        (
            r#"{"word":"a","number":1}"#,
            r#"proto: (line 1:13): error parsing "number", oneof t.All.choice is already set"#,
        ),
        (
            r#"{"other":"x","renamed_field":"y"}"#,
            r#"proto: (line 1:14): duplicate field "renamed_field""#,
        ),
        (
            r#"{"at":"2024-01-02"}"#,
            r#"proto: (line 1:7): invalid google.protobuf.Timestamp value "2024-01-02""#,
        ),
        (
            r#"{"lasts":"1m"}"#,
            r#"proto: (line 1:10): invalid google.protobuf.Duration value "1m""#,
        ),
        (
            r#"{"mask":"a_b"}"#,
            r#"proto: (line 1:9): google.protobuf.FieldMask.paths contains invalid path: "a_b""#,
        ),
        (
            r#"{"packed":{"text":"in"}}"#,
            r#"proto: (line 1:11): missing "@type" field"#,
        ),
        (
            r#"{"packed":{"@type":"x/no.Such"}}"#,
            r#"proto: (line 1:20): unable to resolve "x/no.Such": "not found""#,
        ),
        (
            r#"{"wrapped":{"value":5}}"#,
            "proto: (line 1:12): invalid value for int64 field value: {",
        ),
        (r#"{"old":{}}"#, "proto: required field t.Old.name not set"),
        ("[]", "proto: syntax error (line 1:1): unexpected token ["),
        ("{", "proto: unexpected EOF"),
        ("{}x", "proto: syntax error (line 1:3): unexpected token x"),
    ] {
        assert_eq!(
            decode(&all(), text).map(|_| ()),
            Err(expected.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn fields_without_a_value_are_written_on_demand() {
    let empty = DynamicMessage::new(all());
    let text = encode(&empty, Unset::Written).expect("it has text");
    for part in [
        r#""f64":0.0"#,
        r#""i64":"0""#,
        r#""colour":"NONE""#,
        r#""inner":null"#,
        r#""longs":[]"#,
        r#""counts":{}"#,
        r#""nothing":null"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for part in ["perhaps", "word", "number\""] {
        assert!(!text.contains(part), "{part} in {text}");
    }
    assert_eq!(encode(&empty, Unset::Omitted).as_deref(), Ok("{}"));
}

#[test]
fn nesting_has_a_limit() {
    let deep = |count: usize| r#"{"deeper":"#.repeat(count) + "{}" + &"}".repeat(count);
    assert!(there_and_back(&deep(90)).is_ok());
    assert!(decode(&all(), &deep(100_000)).is_err());
    // Each `Any` is read separately, so that only the writer knows their depth.
    let mut any = r#"{"@type":"x/google.protobuf.Empty","value":{}}"#.to_owned();
    let of_any = all()
        .parent_pool()
        .get_message_by_name("google.protobuf.Any")
        .expect("imported");
    let mut message = decode(&of_any, &any).expect("an Any");
    for _ in 0..100_000 {
        any.clear();
        let bytes = message.encode_to_vec();
        message.set_field_by_number(
            1,
            prost_reflect::Value::String("x/google.protobuf.Any".to_owned()),
        );
        message.set_field_by_number(2, prost_reflect::Value::Bytes(bytes.into()));
        if message.encoded_len() > 100_000 {
            break;
        }
    }
    assert!(encode(&message, Unset::Omitted).is_err());
}

#[test]
fn details_of_errors_are_known_or_shown_as_bytes() {
    let status = |url: &str, value: &[u8]| {
        let any = prost_reflect::prost_types::Any {
            type_url: url.to_owned(),
            value: value.to_vec(),
        };
        let any = any.encode_to_vec();
        let mut bytes = vec![0x1a, u8::try_from(any.len()).expect("short")];
        bytes.extend(any);
        bytes
    };
    let pool = all().parent_pool().clone();
    for (bytes, expected) in [
        (
            status("x/t.Text", b"\x0a\x01a"),
            r#"{"@type":"x/t.Text","text":"a"}"#,
        ),
        (
            status("x/google.rpc.ErrorInfo", b"\x0a\x01r"),
            r#"{"@type":"x/google.rpc.ErrorInfo","reason":"r","domain":"","metadata":{}}"#,
        ),
        (
            status("x/no.Such", b"hi"),
            r#"{"@type":"x/no.Such","value":"aGk="}"#,
        ),
        (
            status("x/t.Text", b"\xff"),
            r#"{"@type":"x/t.Text","value":"/w=="}"#,
        ),
    ] {
        assert_eq!(super::details(&bytes, &pool), [expected]);
    }
    assert!(super::details(b"\xff", &pool).is_empty());
}

/// Names, brackets and values that are combined to random texts.
const PIECES: [&str; 46] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"f64\"",
    "\"i32\"",
    "\"i64\"",
    "\"text\"",
    "\"raw\"",
    "\"colour\"",
    "\"inner\"",
    "\"longs\"",
    "\"texts\"",
    "\"counts\"",
    "\"numbered\"",
    "\"truths\"",
    "\"word\"",
    "\"at\"",
    "\"lasts\"",
    "\"mask\"",
    "\"object\"",
    "\"anything\"",
    "\"packed\"",
    "\"wrapped\"",
    "\"old\"",
    "\"deeper\"",
    "\"@type\"",
    "\"x/t.Text\"",
    "\"x/google.protobuf.Value\"",
    "\"value\"",
    "null",
    "true",
    "1",
    "-0",
    "1e999",
    "\"\\ud800\"",
    "\"2024-01-02T03:04:05Z\"",
    "\"1s\"",
    "\"a.b\"",
    "\"RED\"",
    "\"aGk\"",
    "1.5",
    " ",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

    #[test]
    fn any_text_is_a_message_or_an_error(pieces in vec(0_usize..PIECES.len(), 0..24), tail in ".{0,8}") {
        let text: String = pieces.iter().map(|at| PIECES[*at]).collect();
        for text in [format!("{{{text}}}"), text.clone() + &tail, tail] {
            if let Ok(message) = decode(&all(), &text) {
                let again = encode(&message, Unset::Omitted).expect("what was read can be written");
                let read = decode(&all(), &again).expect("what was written can be read");
                prop_assert_eq!(encode(&read, Unset::Omitted), Ok(again));
            }
        }
    }

    #[test]
    fn any_bytes_are_a_message_with_text_or_an_error(bytes in vec(any::<u8>(), 0..60)) {
        if let Ok(message) = DynamicMessage::decode(all(), bytes.as_slice()) {
            for unset in [Unset::Written, Unset::Omitted] {
                if let Ok(text) = encode(&message, unset) {
                    let is_object = text.starts_with('{') && text.ends_with('}');
                    prop_assert!(is_object, "{}", text);
                }
            }
        }
    }
}
