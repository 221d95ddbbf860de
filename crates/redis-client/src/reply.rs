//! Converts replies to the types of commands. A mismatch is an error in the words of go-redis.

use redis::Value;

use super::connection::words;
use super::failure::Failure;

/// A name and its text.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A text. Servers also reply with numbers.
///
/// # Errors
/// The reply is a list.
pub fn text(reply: &Value) -> Result<Vec<u8>, Failure> {
    match reply {
        Value::BulkString(bytes) => Ok(bytes.clone()),
        Value::SimpleString(text) => Ok(text.clone().into_bytes()),
        Value::Okay => Ok(b"OK".to_vec()),
        Value::Int(number) => Ok(number.to_string().into_bytes()),
        Value::Nil => Err(Failure::Nil),
        other => Err(Failure::Reply(format!(
            "redis: can't parse reply={:?} reading string",
            head(other)
        ))),
    }
}

/// A whole number.
///
/// # Errors
/// The reply has another type.
pub fn number(reply: &Value) -> Result<i64, Failure> {
    match reply {
        Value::Int(number) => Ok(*number),
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => {
            let text = String::from_utf8_lossy(&text(reply)?).into_owned();
            text.parse().map_err(|_| {
                Failure::Reply(format!(
                    "strconv.ParseInt: parsing {text:?}: invalid syntax"
                ))
            })
        }
        Value::Nil => Err(Failure::Nil),
        other => Err(Failure::Reply(format!(
            "redis: can't parse int reply: {:?}",
            head(other)
        ))),
    }
}

/// Yes or no.
///
/// # Errors
/// The reply is a list.
pub fn flag(reply: &Value) -> Result<bool, Failure> {
    match reply {
        Value::Int(number) => Ok(*number == 1),
        Value::Okay => Ok(true),
        Value::BulkString(_) | Value::SimpleString(_) => Ok(text(reply)? == b"1"),
        Value::Nil => Err(Failure::Nil),
        other => Err(Failure::Reply(format!(
            "can't parse bool reply: {:?}",
            head(other)
        ))),
    }
}

/// A list of texts, empty if absent.
///
/// # Errors
/// The reply has another type.
pub fn texts(reply: &Value) -> Result<Vec<Vec<u8>>, Failure> {
    let empty = |item: &Value| match item {
        Value::Nil => Ok(Vec::new()),
        item => text(item),
    };
    items(reply)?.iter().map(empty).collect()
}

/// A list of values of any type.
///
/// # Errors
/// The reply has another type.
pub fn items(reply: &Value) -> Result<&[Value], Failure> {
    match reply {
        Value::Array(items) | Value::Set(items) => Ok(items),
        Value::Nil => Err(Failure::Nil),
        other => Err(Failure::Reply(format!(
            "redis: can't parse array/set/push reply: {:?}",
            head(other)
        ))),
    }
}

/// Pairs of names and texts.
///
/// # Errors
/// The reply has another type.
pub fn pairs(reply: &Value) -> Result<Vec<Pair>, Failure> {
    let Value::Array(items) = reply else {
        return Err(Failure::Reply(format!(
            "redis: can't parse map reply: {:?}",
            head(reply)
        )));
    };
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Failure::Reply(format!(
            "redis: the length of the array must be a multiple of 2, got: {}",
            items.len()
        )));
    }
    let pairs = pairs.iter();
    pairs
        .map(|[name, value]| Ok((text(name)?, text(value)?)))
        .collect()
}

/// The text of an error inside a list.
pub fn error_text(reply: &Value) -> Option<String> {
    match reply {
        Value::ServerError(error) => Some(words(error)),
        _ => None,
    }
}

/// The first line of a reply on the wire.
fn head(reply: &Value) -> String {
    match reply {
        Value::Array(items) => format!("*{}", items.len()),
        Value::Set(items) => format!("~{}", items.len()),
        Value::Map(pairs) => format!("%{}", pairs.len()),
        Value::Int(number) => format!(":{number}"),
        Value::BulkString(bytes) => format!("${}", bytes.len()),
        Value::SimpleString(text) => format!("+{text}"),
        Value::Okay => "+OK".to_owned(),
        Value::Nil => "$-1".to_owned(),
        Value::ServerError(error) => format!("-{}", words(error)),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn check<T>(read: Result<T, Failure>, why: &str) {
        let failure = read.err().map(|failure| failure.to_string());
        assert_eq!(failure.as_deref(), Some(why));
    }

    #[test]
    fn numbers_may_come_as_texts_and_texts_as_numbers() {
        assert_eq!(number(&bulk("-7")), Ok(-7));
        assert_eq!(text(&Value::Int(5)), Ok(b"5".to_vec()));
        assert_eq!(flag(&bulk("1")), Ok(true));
        assert_eq!(flag(&Value::SimpleString("x".to_owned())), Ok(false));
        let list = Value::Array(vec![Value::Int(1), Value::Nil]);
        assert_eq!(texts(&list), Ok(vec![b"1".to_vec(), Vec::new()]));
    }

    #[test]
    fn a_reply_of_another_type_is_named() {
        let list = Value::Array(vec![Value::Int(1)]);
        check(
            text(&list),
            "redis: can't parse reply=\"*1\" reading string",
        );
        check(number(&list), "redis: can't parse int reply: \"*1\"");
        check(
            number(&bulk("abc")),
            "strconv.ParseInt: parsing \"abc\": invalid syntax",
        );
        let plain = Value::SimpleString("abc".to_owned());
        check(
            items(&plain),
            "redis: can't parse array/set/push reply: \"+abc\"",
        );
        check(pairs(&plain), "redis: can't parse map reply: \"+abc\"");
        let odd = "redis: the length of the array must be a multiple of 2, got: 1";
        check(pairs(&list), odd);
        check(text(&Value::Nil), "redis: nil");
    }
}
