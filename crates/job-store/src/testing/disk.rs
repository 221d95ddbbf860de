//! A disk in memory that fails at random, and keeps only synced data on a power cut.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redb::StorageBackend;

use crate::{Config, Embedded};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// A disk in memory that fails at random. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// What a power cut restores: the former length, or the former bytes at an offset.
    unsynced: Vec<Undo>,
    chance: StdRng,
    /// The probability that a call fails.
    rate: f64,
    failed: u64,
}

#[derive(Debug)]
enum Undo {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Disk {
    /// An empty disk; `seed` decides which calls fail.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            bytes: Vec::new(),
            unsynced: Vec::new(),
            chance: StdRng::seed_from_u64(seed),
            rate: 0.0,
            failed: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no call panics with it")
    }

    /// Sets the probability that a call fails.
    pub fn fail(&self, rate: f64) {
        self.lock().rate = rate;
    }

    /// The probability that each call fails.
    pub fn rate(&self) -> f64 {
        self.lock().rate
    }

    /// Calls that failed.
    pub fn failed(&self) -> u64 {
        self.lock().failed
    }

    /// The disk after the power is back; it works.
    pub fn after_power_cut(&self, seed: u64) -> Self {
        let state = self.lock();
        let mut bytes = state.bytes.clone();
        for undo in state.unsynced.iter().rev() {
            match undo {
                Undo::Length(length) => bytes.resize(*length, 0),
                Undo::Bytes(start, old) => bytes[*start..*start + old.len()].copy_from_slice(old),
            }
        }
        let disk = Self::new(seed);
        disk.lock().bytes = bytes;
        disk
    }
}

impl State {
    fn may_fail(&mut self) -> Result<(), io::Error> {
        if self.rate == 0.0 || !self.chance.random_bool(self.rate) {
            return Ok(());
        }
        self.failed += 1;
        let code = if self.chance.random_bool(0.5) {
            ENOSPC
        } else {
            EIO
        };
        Err(io::Error::from_raw_os_error(code))
    }

    fn put(&mut self, start: usize, data: &[u8]) {
        let place = start..start + data.len();
        let old = self.bytes[place.clone()].to_vec();
        self.unsynced.push(Undo::Bytes(start, old));
        self.bytes[place].copy_from_slice(data);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.lock();
        let start = offset as usize;
        let found = state.bytes.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.lock();
        state.may_fail()?;
        let before = state.bytes.len();
        let len = len as usize;
        if len < before {
            let cut = state.bytes[len..].to_vec();
            state.unsynced.push(Undo::Bytes(len, cut));
        }
        state.unsynced.push(Undo::Length(before));
        state.bytes.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.lock();
        state.may_fail()?;
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.lock();
        let start = offset as usize;
        if let Err(error) = state.may_fail() {
            // A part of it may have been written.
            let part = state.chance.random_range(0..=data.len());
            state.put(start, &data[..part]);
            return Err(error);
        }
        state.put(start, data);
        Ok(())
    }
}

/// An embedded store on this disk.
///
/// # Panics
/// The disk failed.
pub fn open(disk: &Disk) -> Embedded {
    let disk = disk.clone();
    let config = Config {
        reopen_pause: (Duration::from_micros(50), Duration::from_millis(1)),
        ..Config::new("")
    };
    Embedded::open_on(move || disk.clone(), config).expect("it does not fail yet")
}
