//! Converts the arguments of a method to those of a command.

use redis_client::Command;
use script_engine::Value;
use script_engine::convert;
use script_engine::native::Call;
use script_engine::throw::{Throw, plain};

use super::commands::{Method, Takes};

/// The command of a call.
///
/// # Errors
/// An argument has a type without a representation on the server.
pub(super) fn command(call: &Call<'_, '_>, method: &Method) -> Result<Command, Throw> {
    let mut command = Command::new(method.name);
    for (at, takes) in method.takes.iter().enumerate() {
        match takes {
            Takes::Text => command.push(convert::go_string(&call.arg(at))?),
            Takes::Whole => command.push(whole(&call.arg(at))?.to_string()),
            Takes::Plain => command.push(plain_text(&call.arg(at), at)?),
            Takes::Texts => {
                for at in at..call.count() {
                    command.push(convert::go_string(&call.arg(at))?);
                }
            }
            Takes::Plains => rest(call, at, &mut command)?,
            Takes::Expiry => {
                let seconds = whole(&call.arg(at))?;
                if seconds > 0 {
                    command.push("ex");
                    command.push(seconds.to_string());
                }
            }
        }
    }
    Ok(command)
}

/// The command of `sendCommand`, which the call itself names.
///
/// # Errors
/// See [`command`].
pub(super) fn any_command(call: &Call<'_, '_>) -> Result<Command, Throw> {
    let mut command = Command::new(&convert::go_string(&call.arg(0))?);
    rest(call, 1, &mut command)?;
    Ok(command)
}

fn rest(call: &Call<'_, '_>, from: usize, command: &mut Command) -> Result<(), Throw> {
    for at in from..call.count() {
        command.push(plain_text(&call.arg(at), at)?);
    }
    Ok(())
}

/// A whole number, by k6's conversion.
fn whole(value: &Value<'_>) -> Result<i64, Throw> {
    if value.is_undefined() || value.is_null() {
        return Ok(0);
    }
    Ok(convert::to_number(value)? as i64)
}

fn plain_text(value: &Value<'_>, at: usize) -> Result<String, Throw> {
    if let Some(number) = value.as_number() {
        return Ok(decimal(number));
    }
    if let Some(flag) = value.as_bool() {
        return Ok(u8::from(flag).to_string());
    }
    if value.is_string() {
        return convert::to_text(value);
    }
    if value.is_symbol() {
        return convert::go_text(value);
    }
    Err(plain(format!(
        "unsupported type provided for argument at index {at}, supported types are string, number, and boolean"
    )))
}

/// All digits of a number, without an exponent.
fn decimal(number: f64) -> String {
    match number {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sent_with_all_their_digits() {
        let check = |number: f64, expected: &str| assert_eq!(decimal(number), expected);
        check(1e21, "1000000000000000000000");
        check(1e-7, "0.0000001");
        check(-0.0, "-0");
        check(5.0, "5");
        check(f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-Inf");
    }
}
