//! The methods of a client that stand for a command of the server.

use std::ffi::CStr;

/// A method.
pub(super) struct Method {
    pub(super) method: &'static CStr,
    /// The command's name.
    pub(super) name: &'static str,
    pub(super) takes: &'static [Takes],
    pub(super) gives: Gives,
}

/// The conversion of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Any value, converted to text.
    Text,
    /// Any value, converted to a whole number.
    Whole,
    /// A text, a number or a truth value.
    Plain,
    /// This argument and all later ones, each converted to text.
    Texts,
    /// This argument and all later ones, each a text, a number or a truth value.
    Plains,
    /// The expiry in seconds; none if it is not positive.
    Expiry,
}

/// The type of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Text,
    Number,
    Flag,
    Texts,
    Pairs,
    /// Seconds to live.
    Seconds,
    Items,
    Any,
}

const fn method(
    method: &'static CStr,
    name: &'static str,
    takes: &'static [Takes],
    gives: Gives,
) -> Method {
    Method {
        method,
        name,
        takes,
        gives,
    }
}

use Gives::{Flag, Items, Number, Pairs, Seconds};
use Takes::{Expiry, Plain, Plains, Whole};

const KEY: &[Takes] = &[Takes::Text];
const KEY_AND_TEXT: &[Takes] = &[Takes::Text, Takes::Text];
const KEYS: &[Takes] = &[Takes::Texts];
const KEY_AND_PLAIN: &[Takes] = &[Takes::Text, Plain];
const KEY_AND_PLAINS: &[Takes] = &[Takes::Text, Plains];
const KEY_AND_WHOLE: &[Takes] = &[Takes::Text, Whole];

pub(super) const ALL: &[Method] = &[
    method(c"set", "set", &[Takes::Text, Plain, Expiry], Gives::Text),
    method(c"get", "get", KEY, Gives::Text),
    method(c"getSet", "getset", KEY_AND_PLAIN, Gives::Text),
    method(c"del", "del", KEYS, Number),
    method(c"getDel", "getdel", KEY, Gives::Text),
    method(c"exists", "exists", KEYS, Number),
    method(c"incr", "incr", KEY, Number),
    method(c"incrBy", "incrby", KEY_AND_WHOLE, Number),
    method(c"decr", "decr", KEY, Number),
    method(c"decrBy", "decrby", KEY_AND_WHOLE, Number),
    method(c"randomKey", "randomkey", &[], Gives::Text),
    method(c"mget", "mget", KEYS, Items),
    method(c"expire", "expire", KEY_AND_WHOLE, Flag),
    method(c"ttl", "ttl", KEY, Seconds),
    method(c"persist", "persist", KEY, Flag),
    method(c"lpush", "lpush", KEY_AND_PLAINS, Number),
    method(c"rpush", "rpush", KEY_AND_PLAINS, Number),
    method(c"lpop", "lpop", KEY, Gives::Text),
    method(c"rpop", "rpop", KEY, Gives::Text),
    method(
        c"lrange",
        "lrange",
        &[Takes::Text, Whole, Whole],
        Gives::Texts,
    ),
    method(c"lindex", "lindex", KEY_AND_WHOLE, Gives::Text),
    method(
        c"lset",
        "lset",
        &[Takes::Text, Whole, Takes::Text],
        Gives::Text,
    ),
    method(c"lrem", "lrem", &[Takes::Text, Whole, Takes::Text], Number),
    method(c"llen", "llen", KEY, Number),
    method(c"hset", "hset", &[Takes::Text, Takes::Text, Plain], Number),
    method(
        c"hsetnx",
        "hsetnx",
        &[Takes::Text, Takes::Text, Takes::Text],
        Flag,
    ),
    method(c"hget", "hget", KEY_AND_TEXT, Gives::Text),
    method(c"hdel", "hdel", &[Takes::Text, Takes::Texts], Number),
    method(c"hgetall", "hgetall", KEY, Pairs),
    method(c"hkeys", "hkeys", KEY, Gives::Texts),
    method(c"hvals", "hvals", KEY, Gives::Texts),
    method(c"hlen", "hlen", KEY, Number),
    method(
        c"hincrby",
        "hincrby",
        &[Takes::Text, Takes::Text, Whole],
        Number,
    ),
    method(c"sadd", "sadd", KEY_AND_PLAINS, Number),
    method(c"srem", "srem", KEY_AND_PLAINS, Number),
    method(c"sismember", "sismember", KEY_AND_PLAIN, Flag),
    method(c"smembers", "smembers", KEY, Gives::Texts),
    method(c"srandmember", "srandmember", KEY, Gives::Text),
    method(c"spop", "spop", KEY, Gives::Text),
];
