//! The embedded store's tables in redb. A job consists of three rows: its description, its payload until it
//! ends, and its outcome after that. Payloads, outcomes and answers are sealed.

use bytes::Bytes;
use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition,
    TableError, TableHandle, WriteTransaction,
};

use super::job::{Job, JobId, Status};
use super::record::Hash;

const JOBS: TableDefinition<u128, &[u8]> = TableDefinition::new("jobs");
const PAYLOADS: TableDefinition<u128, &[u8]> = TableDefinition::new("payloads");
/// Answers, by tenant and key: see `idempotency::Record`.
const ANSWERS: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("sealed_answers");
/// Time and size of answers, in a separate table, so that the start need not read the answers.
const ANSWER_AGES: TableDefinition<&[u8; 32], (u64, u64)> =
    TableDefinition::new("sealed_answer_ages");
const OUTCOMES: TableDefinition<u128, &[u8]> = TableDefinition::new("outcomes");
/// One row, sealed: opens with the keys that the store is used with.
const PROOF: TableDefinition<(), &[u8]> = TableDefinition::new("proof");
/// One temporary row that checks whether there is enough space.
const ROOM: TableDefinition<(), &[u8]> = TableDefinition::new("room");
/// Answers from before sealing: dropped, since they cannot be distinguished from sealed ones.
const OLD: [&str; 2] = ["answers", "answer_ages"];
/// The length of a row's beginning that shows whether it is sealed and with which key.
const HEAD_BYTES: usize = 5;

/// The tables of one write transaction.
pub(super) struct Tables<'t> {
    jobs: Table<'t, u128, &'static [u8]>,
    payloads: Table<'t, u128, &'static [u8]>,
    outcomes: Table<'t, u128, &'static [u8]>,
    answers: Table<'t, &'static Hash, &'static [u8]>,
    answer_ages: Table<'t, &'static Hash, (u64, u64)>,
}

impl<'t> Tables<'t> {
    pub fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            jobs: transaction.open_table(JOBS)?,
            payloads: transaction.open_table(PAYLOADS)?,
            outcomes: transaction.open_table(OUTCOMES)?,
            answers: transaction.open_table(ANSWERS)?,
            answer_ages: transaction.open_table(ANSWER_AGES)?,
        })
    }

    pub fn put_job(&mut self, job: &Job) -> Result<(), redb::Error> {
        let row = serde_json::to_vec(job).expect("a job has only string keys");
        self.jobs.insert(job.id.number(), row.as_slice())?;
        Ok(())
    }

    pub fn put_payload(&mut self, id: JobId, payload: &[u8]) -> Result<(), redb::Error> {
        self.payloads.insert(id.number(), payload)?;
        Ok(())
    }

    pub fn payload(&self, id: JobId) -> Result<Bytes, redb::Error> {
        let row = self.payloads.get(id.number())?;
        Ok(row.map_or_else(Bytes::new, |row| Bytes::copy_from_slice(row.value())))
    }

    pub fn drop_payload(&mut self, id: JobId) -> Result<(), redb::Error> {
        self.payloads.remove(id.number())?;
        Ok(())
    }

    pub fn put_outcome(&mut self, id: JobId, outcome: &[u8]) -> Result<(), redb::Error> {
        self.outcomes.insert(id.number(), outcome)?;
        Ok(())
    }

    pub fn has_outcome(&self, id: JobId) -> Result<bool, redb::Error> {
        Ok(self.outcomes.get(id.number())?.is_some())
    }

    pub fn remove_job(&mut self, id: JobId) -> Result<(), redb::Error> {
        self.jobs.remove(id.number())?;
        self.payloads.remove(id.number())?;
        self.outcomes.remove(id.number())?;
        Ok(())
    }

    /// Stores an answer and returns the age of the one that it replaces.
    pub fn put_answer(
        &mut self,
        key: &Hash,
        at_ms: u64,
        row: &[u8],
    ) -> Result<Option<u64>, redb::Error> {
        self.answers.insert(key, row)?;
        let replaced = self.answer_ages.insert(key, (at_ms, row.len() as u64))?;
        Ok(replaced.map(|replaced| replaced.value().0))
    }

    pub fn remove_answer(&mut self, key: &Hash) -> Result<(), redb::Error> {
        self.answers.remove(key)?;
        self.answer_ages.remove(key)?;
        Ok(())
    }

    /// Calls `each` with key, time and size of every answer.
    pub fn each_answer(&self, mut each: impl FnMut(Hash, u64, u64)) -> Result<(), redb::Error> {
        for row in self.answer_ages.iter()? {
            let (key, age) = row?;
            let (at_ms, bytes) = age.value();
            each(*key.value(), at_ms, bytes);
        }
        Ok(())
    }

    /// Calls `each` with every job; unreadable rows are counted and kept.
    pub fn each_job(&self, mut each: impl FnMut(Job)) -> Result<u64, redb::Error> {
        let mut unreadable = 0;
        for row in self.jobs.iter()? {
            match serde_json::from_slice(row?.1.value()) {
                Ok(job) => each(job),
                Err(_) => unreadable += 1,
            }
        }
        Ok(unreadable)
    }
}

/// A job with its outcome, as of the last commit.
pub(super) fn status(database: &Database, id: JobId) -> Result<Option<Status>, redb::Error> {
    let transaction = database.begin_read()?;
    let Some(job) = transaction
        .open_table(JOBS)?
        .get(id.number())?
        .and_then(|row| parse(row.value()))
    else {
        return Ok(None);
    };
    let outcome = transaction.open_table(OUTCOMES)?.get(id.number())?;
    let outcome = outcome.map(|row| Bytes::copy_from_slice(row.value()));
    Ok(Some(Status { job, outcome }))
}

/// The answer for this key, if it is not older than `since_ms`.
pub(super) fn answer(
    database: &Database,
    key: &Hash,
    since_ms: u64,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let transaction = database.begin_read()?;
    let age = transaction.open_table(ANSWER_AGES)?.get(key)?;
    if age.is_none_or(|age| age.value().0 < since_ms) {
        return Ok(None);
    }
    let row = transaction.open_table(ANSWERS)?.get(key)?;
    Ok(row.map(|row| row.value().to_vec()))
}

/// The newest jobs first that `wanted` accepts, at most `limit`.
pub(super) fn list(
    database: &Database,
    limit: usize,
    wanted: impl Fn(&Job) -> bool,
) -> Result<Vec<Job>, redb::Error> {
    let jobs = database.begin_read()?.open_table(JOBS)?;
    let mut found = Vec::new();
    for row in jobs.iter()?.rev() {
        if found.len() >= limit {
            break;
        }
        found.extend(parse(row?.1.value()).filter(&wanted));
    }
    Ok(found)
}

/// The proof of the key, if the store was used with one.
pub(super) fn proof(database: &Database) -> Result<Option<Vec<u8>>, redb::Error> {
    match database.begin_read()?.open_table(PROOF) {
        Ok(table) => Ok(table.get(())?.map(|row| row.value().to_vec())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Stores the proof; answers in clear are dropped.
pub(super) fn put_proof(database: &Database, proof: &[u8]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(PROOF)?.insert((), proof)?;
    for handle in transaction.list_tables()?.collect::<Vec<_>>() {
        if OLD.contains(&handle.name()) {
            transaction.delete_table(handle)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Writes this many bytes and removes them again.
///
/// # Errors
/// There is not enough space for them.
pub(super) fn try_room(database: &Database, bytes: usize) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction
        .open_table(ROOM)?
        .insert((), vec![0; bytes].as_slice())?;
    transaction.commit()?;
    let transaction = database.begin_write()?;
    transaction.open_table(ROOM)?.remove(())?;
    transaction.commit()?;
    Ok(())
}

/// The beginning of every payload; their jobs have not ended.
pub(super) fn payload_heads(database: &Database) -> Result<Vec<Vec<u8>>, redb::Error> {
    let table = match database.begin_read()?.open_table(PAYLOADS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let head = |row: Result<(_, redb::AccessGuard<'_, &'static [u8]>), _>| {
        let (_, row) = row?;
        Ok(row.value().iter().take(HEAD_BYTES).copied().collect())
    };
    table.iter()?.map(head).collect()
}

/// The number of payloads on disk.
pub(super) fn payloads(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(PAYLOADS) {
        Ok(table) => Ok(table.len()?),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn parse(row: &[u8]) -> Option<Job> {
    serde_json::from_slice(row).ok()
}
