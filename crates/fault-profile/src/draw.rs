//! Counter-based randomness: every draw is a hash of its key and purpose.
//!
//! With a generator that requests share, outcomes depend on the order of requests. Here a decision hashes (seed,
//! detector, tenant, key) and a purpose into the state of its own short stream. The decision is the same however
//! requests interleave, and further draws for one purpose do not change the others.
//!
//! The hash and the stream are `SplitMix64` (Steele, Lea, Flood: "Fast Splittable Pseudorandom
//! Number Generators", OOPSLA 2014; finaliser "Mix13" of Stafford). It passes BigCrush, costs a
//! few nanoseconds per word, and is defined completely below, so that recorded seeds stay valid independently of
//! libraries. It does not resist an adversary; that is not needed here, and would cost four times as much with
//! `SipHash` and ten times with a `ChaCha` block per decision.

use std::convert::Infallible;

use rand::TryRng;

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The purpose of a stream of draws. The numbers are part of the meaning of a seed: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Coin = 1,
    Kind = 2,
    Latency = 3,
    Service = 4,
    Connection = 5,
    StickyKey = 6,
    GroupMember = 7,
    GroupCoin = 8,
    State = 9,
    Accuracy = 10,
    Content = 11,
    /// A simulated request's visit to a component.
    Visit = 12,
    Cpu = 13,
    Disk = 14,
    Network = 15,
    /// The choice among the ways of a request.
    Choice = 16,
    /// The choice of the instance for a visit.
    Balance = 17,
    /// The choice of an entry of a store or cache.
    Key = 18,
    /// Generated identifiers.
    Identity = 19,
}

/// The hash of all values absorbed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root(u64);

impl Root {
    pub fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(GAMMA)))
    }

    #[must_use]
    pub fn word(self, word: u64) -> Self {
        Self(mix((self.0 ^ word).wrapping_mul(GAMMA).wrapping_add(GAMMA)))
    }

    /// The length is absorbed first, so that "ab", "c" and "a", "bc" differ.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        let mut root = self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            root = root.word(u64::from_le_bytes(word));
        }
        root
    }

    /// The stream of draws for one purpose.
    pub fn draws(self, purpose: Purpose) -> Draws {
        Draws(self.word(purpose as u64).0)
    }

    /// The first uniform draw of a purpose, in [0, 1).
    pub fn unit(self, purpose: Purpose) -> f64 {
        self.draws(purpose).unit()
    }
}

/// A stream of draws; implements `rand`'s generator trait.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    pub fn next_word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// Uniform in [0, 1), with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_word() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next_word() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next_word())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meaning_of_a_seed_never_changes() {
        let root = Root::new(7)
            .text("detector")
            .text("tenant")
            .text("request-1");
        let mut draws = root.draws(Purpose::Coin);
        let words: Vec<u64> = (0..3).map(|_| draws.next_word()).collect();
        let recorded = [
            6565458969051585700,
            7006078416084935393,
            16424162828648725124,
        ];
        assert_eq!(words, recorded, "a recorded seed would mean something else");
    }

    #[test]
    fn the_number_of_a_purpose_never_changes() {
        use Purpose::*;
        let known = [
            Coin,
            Kind,
            Latency,
            Service,
            Connection,
            StickyKey,
            GroupMember,
            GroupCoin,
            State,
            Accuracy,
            Content,
            Visit,
            Cpu,
            Disk,
            Network,
            Choice,
            Balance,
            Key,
            Identity,
        ];
        let numbers: Vec<u64> = known.iter().map(|purpose| *purpose as u64).collect();
        assert_eq!(numbers, (1..=19).collect::<Vec<u64>>());
    }

    #[test]
    fn boundaries_between_texts_count() {
        let root = Root::new(0);
        assert_ne!(root.text("ab").text("c"), root.text("a").text("bc"));
        assert_ne!(root.text("a\0"), root.text("a"));
    }

    #[test]
    fn neighbouring_keys_draw_uniformly_and_independently() {
        // χ² with 99 degrees of freedom: 149.4 is exceeded with probability 0.0008.
        for seed in 0..4 {
            let mut cells = [0u32; 100];
            for index in 0..100_000 {
                let root = Root::new(seed).word(index);
                let (a, b) = (root.unit(Purpose::Coin), root.unit(Purpose::Latency));
                cells[(a * 10.0) as usize * 10 + (b * 10.0) as usize] += 1;
            }
            let chi2: f64 = cells
                .iter()
                .map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0)
                .sum();
            assert!(chi2 < 149.4, "seed {seed}: chi2 {chi2}");
        }
    }
}
