//! Answers as JSON, byte for byte as `serde_json` writes them and several times cheaper: the names
//! of fields are taken as they are, and a text is looked through for what must be escaped at
//! once instead of byte by byte. An answer names each detector eight times over.

use serde::ser::{self, Serialize};
use serde_json::Error;

/// Appends the value. No name of a field or a variant in it needs an escape.
///
/// # Errors
/// A map has keys that are not strings, or the value itself fails to serialize.
pub fn write(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) -> Result<(), Error> {
    value.serialize(Writer { out })
}

/// The serializer traits repeat the same methods with different names.
macro_rules! whole_numbers {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        fn $name(self, value: $type) -> Result<(), Error> {
            self.whole(value)
        }
    )*};
}

macro_rules! items {
    ($($trait:ident: $name:ident),* $(,)?) => {$(
        impl ser::$trait for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $name<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Open<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

/// Room for any number of 64 bits.
const NUMBER_BYTES: usize = 20;

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

/// An object or a list that is being written.
struct Open<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
    end: &'static str,
}

impl<'a> Writer<'a> {
    fn raw(self, text: &str) -> Result<(), Error> {
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn open(self, start: &str, end: &'static str) -> Open<'a> {
        self.out.extend_from_slice(start.as_bytes());
        Open {
            out: self.out,
            empty: true,
            end,
        }
    }

    /// `{"variant":` and the start of its content.
    fn variant(self, name: &'static str, start: &str, end: &'static str) -> Open<'a> {
        self.out.push(b'{');
        field(self.out, name);
        self.open(start, end)
    }

    fn whole(self, number: impl itoa::Integer) -> Result<(), Error> {
        self.out.reserve(NUMBER_BYTES);
        self.raw(itoa::Buffer::new().format(number))
    }
}

impl Open<'_> {
    #[inline]
    fn next(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.next();
        write(value, self.out)
    }

    #[inline(always)]
    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.next();
        field(self.out, name);
        write(value, self.out)
    }

    fn close(self) -> Result<(), Error> {
        self.out.extend_from_slice(self.end.as_bytes());
        Ok(())
    }
}

/// Always inlined, so that the length of the name is known and the copy is short.
#[inline(always)]
fn field(out: &mut Vec<u8>, name: &str) {
    out.reserve(name.len() + 3);
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<(), Error> {
    // Without an early exit, so that many bytes are compared together.
    let special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    let any = text.bytes().fold(false, |any, byte| any | special(byte));
    if any {
        return serde_json::to_writer(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// A number of milliseconds with microsecond precision, as most are here, in microseconds: its shortest decimal
/// is found from the integer, several times faster.
fn thousandths(value: f64) -> Option<u64> {
    // Decimals of up to fifteen digits are different numbers.
    let is_short = value.is_sign_positive() && value < 1e9;
    let number = (value * 1e3).round_ties_even() as u64;
    (is_short && number as f64 / 1e3 == value).then_some(number)
}

fn thousandths_as_text(out: &mut Vec<u8>, number: u64) {
    let digits = [100, 10, 1].map(|place| b'0' + (number / place % 10) as u8);
    let length = match digits {
        [_, b'0', b'0'] => 1,
        [_, _, b'0'] => 2,
        _ => 3,
    };
    out.extend_from_slice(itoa::Buffer::new().format(number / 1_000).as_bytes());
    out.push(b'.');
    out.extend_from_slice(&digits[..length]);
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = Open<'a>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = Open<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.raw(if value { "true" } else { "false" })
    }

    whole_numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        if let Some(number) = thousandths(value) {
            thousandths_as_text(self.out, number);
            Ok(())
        } else if value.is_finite() {
            self.raw(zmij::Buffer::new().format_finite(value))
        } else {
            self.serialize_unit()
        }
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        text(self.out, value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        text(self.out, value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        serde_json::to_writer(self.out, value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        write(value, self.out)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.raw("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.out.reserve(variant.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(variant.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        write(value, self.out)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let open = self.variant(variant, "", "}");
        write(value, open.out)?;
        open.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>, Error> {
        Ok(self.variant(variant, "[", "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>, Error> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>, Error> {
        Ok(self.variant(variant, "{", "}}"))
    }
}

items! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field,
}
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next();
        let start = self.out.len();
        write(key, self.out)?;
        if self.out.get(start) != Some(&b'"') {
            return Err(ser::Error::custom("the keys of an object are strings"));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        write(value, self.out)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    #[derive(Debug, Clone, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        BareName,
        Inner(i64),
        Pair(u8, String),
        Fields { left: f64, right: Option<bool> },
    }

    #[derive(Debug, Clone, Serialize)]
    struct Unit;

    #[derive(Debug, Clone, Serialize)]
    struct Both(char, f32);

    #[derive(Debug, Clone, Serialize)]
    struct Whole {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        maybe: Option<u64>,
        kinds: Vec<Kind>,
        named: BTreeMap<String, f64>,
        small: (i8, i16, i32, u16, u32),
        unit: Unit,
        nothing: (),
        both: Both,
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::BareName),
            any::<i64>().prop_map(Kind::Inner),
            (any::<u8>(), ".*").prop_map(|(left, right)| Kind::Pair(left, right)),
            (any::<f64>(), any::<Option<bool>>())
                .prop_map(|(left, right)| Kind::Fields { left, right }),
        ]
    }

    fn check(value: &(impl Serialize + std::fmt::Debug + ?Sized)) {
        let mut written = b"before".to_vec();
        write(value, &mut written).expect("a value");
        let expected = serde_json::to_string(value).expect("a value");
        let written = std::str::from_utf8(&written).expect("UTF-8");
        assert_eq!(written, format!("before{expected}"), "{value:?}");
    }

    proptest! {
        #[test]
        fn the_output_equals_that_of_serde_json(
            text in any::<String>(),
            maybe in any::<Option<u64>>(),
            kinds in proptest::collection::vec(kind(), 0..4),
            named in proptest::collection::btree_map(any::<String>(), any::<f64>(), 0..4),
            small in any::<(i8, i16, i32, u16, u32)>(),
            both in any::<(char, f32)>(),
        ) {
            let both = Both(both.0, both.1);
            check(&Whole { text, maybe, kinds, named, small, unit: Unit, nothing: (), both });
        }
    }

    #[test]
    fn every_byte_that_must_be_escaped_is_escaped() {
        for byte in 0..=127_u8 {
            for text in [
                char::from(byte).to_string(),
                format!("plain, then {}.", char::from(byte)),
            ] {
                check(&text);
            }
        }
        check("größe \u{2028} \u{10ffff}");
        for number in 0..20_000_u32 {
            check(&(f64::from(number) / 1e3));
            check(&(f64::from(number) * 49_999.937 / 1e3));
        }
        for number in [
            999_999_999.999,
            1e9 - 1e-4,
            0.001,
            0.000_1,
            0.1 + 0.2,
            1e9,
            1e15,
            1e16,
        ] {
            check(&number);
        }
        for number in [f64::NAN, f64::INFINITY, -0.0, 0.1, 1.0, 1e300, 5e-324] {
            check(&number);
        }
    }

    #[test]
    fn a_key_that_is_not_a_string_is_refused() {
        let numbers = BTreeMap::from([(vec![1], 2)]);
        assert!(write(&numbers, &mut Vec::new()).is_err());
    }
}
