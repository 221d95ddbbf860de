//! `k6/encoding`: base64.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use rquickjs::{Ctx, Object};

use crate::js::convert;
use crate::js::native::{Call, Outcome, Throw, method, plain};

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
    let bytes = convert::bytes_of(&call.arg(0))?;
    let bytes = bytes.ok_or_else(|| plain("b64encode() needs a string or an ArrayBuffer"))?;
    call.string(&engine(call)?.encode(bytes))
}

fn decode<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let text = call.text(0)?;
    let chosen = engine(call)?;
    // Go ignores line ends, and does not look at the unused bits of the last character.
    let clean: String = text.chars().filter(|c| *c != '\r' && *c != '\n').collect();
    let lenient = lenient(&chosen, call)?;
    let bytes = lenient
        .decode(clean.as_bytes())
        .map_err(|error| plain(format!("illegal base64 data: {error}")))?;
    let wants_text = call
        .given(2)
        .is_some_and(|format| convert::to_text(&format).is_ok_and(|format| format == "s"));
    if wants_text {
        convert::string_of_bytes(call.ctx, &bytes)
    } else {
        convert::array_buffer(call.ctx, bytes)
    }
}

fn lenient(strict: &GeneralPurpose, call: &Call<'_, '_>) -> Result<GeneralPurpose, Throw> {
    let name = call
        .given(1)
        .map_or(Ok(String::new()), |name| convert::to_text(&name))?;
    let alphabet = if name.ends_with("url") {
        base64::alphabet::URL_SAFE
    } else {
        base64::alphabet::STANDARD
    };
    let config: GeneralPurposeConfig = *strict.config();
    Ok(GeneralPurpose::new(
        &alphabet,
        config.with_decode_allow_trailing_bits(true),
    ))
}
