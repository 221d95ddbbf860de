//! Mutates valid input: trees with unusual values in unusual places, and malformed JSON. Seeded: the same seed
//! makes the same cases.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

/// A source of mutations.
pub struct Mutator {
    rng: SmallRng,
}

/// Tokens that are not JSON, or that readers often mishandle.
const RAW: [&str; 16] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1e-999",
    "-0",
    "0x10",
    "01",
    "18446744073709551616",
    "-9223372036854775809",
    "0.1e",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "nul",
    "{\"a\":1,\"a\":2}",
];

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// One of the valid inputs, mutated more or less, sometimes unchanged.
    pub fn mutate(&mut self, good: &[Value]) -> Vec<u8> {
        let mut tree = good[self.below(good.len())].clone();
        for _ in 0..self.below(4) {
            let odd = self.odd(good);
            let depth = 1 + self.below(5);
            self.plant(&mut tree, odd, depth);
        }
        let mut bytes = serde_json::to_vec(&tree).expect("a tree is JSON");
        if self.one_in(4) {
            self.replace_token(&mut bytes);
        }
        if self.one_in(4) {
            for _ in 0..=self.below(3) {
                self.spoil(&mut bytes);
            }
        }
        bytes
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end.max(1))
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn odd(&mut self, good: &[Value]) -> Value {
        match self.below(22) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(""),
            3 => json!([]),
            4 => json!({}),
            5 => json!(-1),
            6 => json!(0),
            7 => json!(u64::MAX),
            8 => json!(i64::MIN),
            9 => json!(1e308),
            10 => json!(-0.000_1),
            11 => json!(1.000_000_1),
            12 => json!("größe \u{1F600}\u{200D}\u{1F600} e\u{301} \u{FFFF}"),
            13 => json!("\u{0}\u{1}\u{7f}\r\n|\\\""),
            14 => json!("x".repeat(self.below(70_000))),
            15 => (0..self.below(200)).fold(json!(1), |inner, _| json!([inner])),
            16 => (0..self.below(200)).fold(json!(1), |inner, _| json!({ "a": inner })),
            17 => json!(vec!["n"; self.below(300)]),
            18 => json!("async"),
            19 => json!("critical"),
            20 => json!(self.below(100)),
            _ => good[self.below(good.len())].clone(),
        }
    }

    /// Replaces, inserts or removes a value somewhere in a tree.
    fn plant(&mut self, tree: &mut Value, odd: Value, depth: usize) {
        let down = depth > 0 && !self.one_in(4);
        match tree {
            Value::Object(map) if down && !map.is_empty() => {
                let place = self.below(map.len());
                let (_, inner) = map.iter_mut().nth(place).expect("a place in it");
                self.plant(inner, odd, depth - 1);
            }
            Value::Array(list) if down && !list.is_empty() => {
                let place = self.below(list.len());
                self.plant(&mut list[place], odd, depth - 1);
            }
            Value::Object(map) => self.change(map, odd),
            Value::Array(list) if !list.is_empty() => match self.below(3) {
                0 => list.push(odd),
                1 => drop(list.remove(0)),
                _ => list.extend(list.clone()),
            },
            other => *other = odd,
        }
    }

    fn change(&mut self, map: &mut Map<String, Value>, odd: Value) {
        let names: Vec<String> = map.keys().cloned().collect();
        let place = self.below(names.len());
        let name = names.get(place).cloned().unwrap_or_default();
        match self.below(4) {
            0 => drop(map.insert("surprise".to_owned(), odd)),
            1 => drop(map.remove(&name)),
            _ => drop(map.insert(name, odd)),
        }
    }

    /// Inserts a raw token at the start of a value.
    fn replace_token(&mut self, bytes: &mut Vec<u8>) {
        let colons: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b':').collect();
        if colons.is_empty() {
            return;
        }
        let from = colons[self.below(colons.len())] + 1;
        let length = bytes[from..].iter().position(|byte| b",}]".contains(byte));
        let to = from + length.unwrap_or(0);
        let raw = RAW[self.below(RAW.len())];
        bytes.splice(from..to, raw.bytes());
    }

    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        let byte = self.rng.random::<u8>();
        match self.below(5) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => bytes.truncate(at),
            3 => {
                let to = (at + self.below(20)).min(bytes.len());
                bytes.drain(at..to);
            }
            _ => {
                let to = (at + self.below(20)).min(bytes.len());
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
}

/// The number of cases: the variable's, or the small default.
pub fn cases(usual: usize) -> usize {
    let given = std::env::var("FUZZ_CASES").ok();
    given.map_or(usual, |text| text.parse().expect("FUZZ_CASES is a number"))
}

/// The seed: the variable's, or a fixed one.
pub fn seed() -> u64 {
    let given = std::env::var("FUZZ_SEED").ok();
    given.map_or(1, |text| text.parse().expect("FUZZ_SEED is a number"))
}
