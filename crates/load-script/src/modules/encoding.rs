//! `k6/encoding`: base64.

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object};

use super::crypto::input;

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"b64encode", encode)?;
    method(&exports, c"b64decode", decode)?;
    Ok(exports)
}

fn engine(call: &Call<'_, '_>) -> Result<GeneralPurpose, Throw> {
    let name = call
        .given(1)
        .map_or(Ok("std".to_owned()), |name| convert::to_text(&name))?;
    Ok(match name.as_str() {
        "rawstd" => STANDARD_NO_PAD,
        "url" => URL_SAFE,
        "rawurl" => URL_SAFE_NO_PAD,
        _ => STANDARD,
    })
}

fn encode<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let bytes = input(&call.arg(0))?;
    call.string(&engine(call)?.encode(bytes))
}

fn decode<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let text = convert::go_string(&call.arg(0))?;
    let name = call
        .given(1)
        .map_or(Ok(String::new()), |name| convert::to_text(&name))?;
    let variant = Variant {
        is_url: name.ends_with("url"),
        is_padded: !name.starts_with("raw"),
    };
    let bytes = variant
        .decode(text.as_bytes())
        .map_err(|at| plain(format!("illegal base64 data at input byte {at}")))?;
    let wants_text = call
        .given(2)
        .is_some_and(|format| convert::to_text(&format).is_ok_and(|format| format == "s"));
    if wants_text {
        convert::string_of_bytes(call.ctx, &bytes)
    } else {
        convert::array_buffer(call.ctx, bytes)
    }
}

/// A variant of base64, decoded as in Go: line ends are skipped, unused bits are ignored, and an error contains
/// the offset where it is found, which no engine of the crate reports.
#[derive(Clone, Copy)]
struct Variant {
    is_url: bool,
    is_padded: bool,
}

impl Variant {
    /// The bytes, or the offset of the error.
    fn decode(self, text: &[u8]) -> Result<Vec<u8>, usize> {
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
        let (mut bits, mut count) = (0_u32, 0);
        let mut at = 0;
        while at < text.len() {
            let character = text[at];
            at += 1;
            if is_line_end(character) {
                continue;
            }
            let Some(value) = self.value(character) else {
                if !self.is_padded || character != b'=' {
                    return Err(at - 1);
                }
                check_end(text, at, count)?;
                push(&mut bytes, bits << (6 * (4 - count)), count);
                return Ok(bytes);
            };
            bits = (bits << 6) | u32::from(value);
            count += 1;
            if count == 4 {
                push(&mut bytes, bits, count);
                (bits, count) = (0, 0);
            }
        }
        if count == 1 || (count > 0 && self.is_padded) {
            return Err(at - count);
        }
        if count > 0 {
            push(&mut bytes, bits << (6 * (4 - count)), count);
        }
        Ok(bytes)
    }

    fn value(self, character: u8) -> Option<u8> {
        Some(match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' if !self.is_url => 62,
            b'/' if !self.is_url => 63,
            b'-' if self.is_url => 62,
            b'_' if self.is_url => 63,
            _ => return None,
        })
    }
}

fn is_line_end(character: u8) -> bool {
    matches!(character, b'\n' | b'\r')
}

/// Whether only its padding, which began before `at`, follows a group of this many characters.
fn check_end(text: &[u8], mut at: usize, count: usize) -> Result<(), usize> {
    let skip = |mut at: usize| {
        while text
            .get(at)
            .is_some_and(|character| is_line_end(*character))
        {
            at += 1;
        }
        at
    };
    if count < 2 {
        return Err(at - 1);
    }
    if count == 2 {
        at = skip(at);
        match text.get(at) {
            None => return Err(text.len()),
            Some(b'=') => at += 1,
            Some(_) => return Err(at - 1),
        }
    }
    let rest = skip(at);
    if rest < text.len() { Err(rest) } else { Ok(()) }
}

/// Adds the bytes of a group with `count` characters.
fn push(bytes: &mut Vec<u8>, bits: u32, count: usize) {
    let [_, first, second, third] = bits.to_be_bytes();
    bytes.extend_from_slice(&[first, second, third][..count - 1]);
}
