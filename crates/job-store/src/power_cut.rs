//! Tests of power cuts: `kill -9` keeps what the kernel has, a power cut only what was synced.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use redb::StorageBackend;

use super::{Config, Embedded, JobState, NewJob, Outcome, StoreError};

/// A disk whose unsynced writes are lost on a power cut.
#[derive(Debug, Clone, Default)]
struct Disk {
    written: Arc<Mutex<Vec<u8>>>,
    synced: Arc<Mutex<Vec<u8>>>,
    syncs: Arc<Mutex<usize>>,
}

impl Disk {
    /// The disk after the power cut.
    fn after_power_cut(&self) -> Self {
        let synced = self.synced.lock().expect("no test panics with it").clone();
        Self {
            written: Arc::new(Mutex::new(synced.clone())),
            synced: Arc::new(Mutex::new(synced)),
            syncs: Arc::default(),
        }
    }

    fn syncs(&self) -> usize {
        *self.syncs.lock().expect("no test panics with it")
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.written.lock().expect("no test panics with it").len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let written = self.written.lock().expect("no test panics with it");
        let start = offset as usize;
        let found = written
            .get(start..start + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.written
            .lock()
            .expect("no test panics with it")
            .resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let written = self.written.lock().expect("no test panics with it").clone();
        *self.synced.lock().expect("no test panics with it") = written;
        *self.syncs.lock().expect("no test panics with it") += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut written = self.written.lock().expect("no test panics with it");
        let start = offset as usize;
        written[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn open(disk: &Disk) -> Result<Embedded, StoreError> {
    let disk = disk.clone();
    Embedded::open_on(move || disk.clone(), Config::new(""))
}

fn job(payload: String) -> NewJob {
    NewJob {
        request_id: payload.clone(),
        tenant: "t".to_owned(),
        urgency: 0,
        payload: payload.into(),
    }
}

#[tokio::test]
async fn confirmed_changes_survive_an_immediate_power_cut() {
    let disk = Disk::default();
    let store = open(&disk).expect("an empty disk");
    for number in 0..20 {
        let id = store
            .submit(job(format!("{number}")))
            .await
            .expect("room")
            .id;
        let after = open(&disk.after_power_cut()).expect("repaired");
        let status = after
            .status(id, None)
            .await
            .expect("accepted means durable");
        assert_eq!(status.job.state, JobState::Pending);

        let claim = store
            .next(Duration::from_secs(60))
            .await
            .expect("one is pending");
        let after = open(&disk.after_power_cut()).expect("repaired");
        let status = after.status(id, None).await.expect("still known");
        assert_eq!((status.job.state, status.job.lost), (JobState::Pending, 1));

        let outcome = Bytes::from(format!("result {number}"));
        claim
            .finish(Outcome::Completed(outcome.clone()))
            .await
            .expect("held");
        let after = open(&disk.after_power_cut()).expect("repaired");
        let status = after.status(id, None).await.expect("still known");
        assert_eq!(
            (status.job.state, status.outcome),
            (JobState::Completed, Some(outcome))
        );
    }
}

#[tokio::test]
async fn concurrent_changes_share_a_sync() {
    let disk = Disk::default();
    let store = open(&disk).expect("an empty disk");
    let before = disk.syncs();
    let submitted: Vec<_> = (0..500)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.submit(job(format!("{number}"))).await })
        })
        .collect();
    for submitted in submitted {
        submitted.await.expect("no panic").expect("room");
    }
    let syncs = disk.syncs() - before;
    assert!(syncs < 250, "{syncs} syncs for 500 jobs");
}
