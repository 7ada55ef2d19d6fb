//! One connection to the server, with the lock of its owner.

use std::ops::Range;

use bytes::Bytes;
use postgres::{Client, Config, Error, GenericClient, NoTls, Statement};

use super::super::changes::Changes;
use super::super::contract::{Limit, Order, Row};
use super::super::error::StoreError;
use super::fault::fault;
use super::sql;

/// The layout of the tables that this library reads and writes.
const FORMAT: i64 = 1;

/// Rows of one answer: those of a scan that asks for more come in several.
const ROWS: usize = 1024;

/// Bytes of one statement. A commit of more is several statements in one transaction, because the server takes no gigabyte.
const STATEMENT: usize = 64 << 20;

/// Whom a session works for. The rows of the owner have one more key, the empty one, which no row of a store has; it says who
/// took the lock last.
pub(super) struct Owner {
    pub(super) name: String,
    /// Drawn by lot for each store that is opened.
    pub(super) taker: Vec<u8>,
}

/// Which session of the server it is, for ending what is left of it.
pub(super) type Identity = (i32, String);

/// A connection that holds the lock.
pub(super) struct Session {
    client: Client,
    owner: String,
    get: Statement,
    commit: Statement,
    forward: Statement,
    backward: Statement,
    pub(super) identity: Identity,
    /// Whether a commit waits for the server's disk, and whether that disk is made to write.
    pub(super) durable: (bool, bool),
}

impl Session {
    /// Connects, makes the tables if they are missing, takes the lock. `before` is the session that was lost: then nobody may
    /// have taken the lock in between, because what the caller knows of the rows would be wrong.
    pub(super) fn open(
        config: &Config,
        owner: &Owner,
        before: Option<&Identity>,
    ) -> Result<Session, StoreError> {
        let mut client = config.connect(NoTls).map_err(fault)?;
        client.batch_execute(sql::SETTINGS).map_err(fault)?;
        if let Some((pid, begun)) = before {
            client.query(sql::END, &[pid, begun]).map_err(fault)?;
        }
        tables(&mut client)?;
        let locked: bool = client
            .query_one(sql::LOCK, &[&lock_of(&owner.name)])
            .map_err(fault)?
            .get(0);
        if !locked {
            return Err(StoreError::Locked(format!("the rows of {}", owner.name)));
        }
        let mut session = Session::prepare(client, &owner.name).map_err(fault)?;
        match session.take(owner, before.is_none()) {
            Ok(()) => Ok(session),
            Err(error) => {
                // The error that counts is the one before.
                let _ = session.close();
                Err(error)
            }
        }
    }

    /// Signs that the lock was taken, or sees that nobody else has signed.
    fn take(&mut self, owner: &Owner, anew: bool) -> Result<(), StoreError> {
        if anew {
            let mut taken = Changes::new();
            taken.put(Vec::new(), owner.taker.clone());
            self.commit(&taken).map_err(fault)
        } else if self.get(b"").map_err(fault)?.as_ref() == Some(&owner.taker) {
            Ok(())
        } else {
            Err(StoreError::Locked(format!(
                "the rows of {}, since the connection was lost",
                owner.name
            )))
        }
    }

    fn prepare(mut client: Client, owner: &str) -> Result<Session, Error> {
        let identity = client.query_one(sql::SELF, &[])?;
        let durable = client.query_one(sql::DURABLE, &[])?;
        Ok(Session {
            get: client.prepare(sql::GET)?,
            commit: client.prepare(sql::COMMIT)?,
            forward: client.prepare(&sql::scan(false))?,
            backward: client.prepare(&sql::scan(true))?,
            identity: (identity.try_get(0)?, identity.try_get(1)?),
            durable: (durable.try_get(0)?, durable.try_get(1)?),
            owner: owner.to_owned(),
            client,
        })
    }

    /// Whether the connection is known to be lost.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Gives the lock back, so that the next owner need not wait for the server to see that this one is gone.
    pub(super) fn close(mut self) -> Result<(), Error> {
        self.client.batch_execute(sql::UNLOCK)?;
        self.client.close()
    }

    pub(super) fn commit(&mut self, changes: &Changes) -> Result<(), Error> {
        let deleted: Vec<&[u8]> = changes
            .iter()
            .filter(|(_, value)| value.is_none())
            .map(|(key, _)| key.as_slice())
            .collect();
        let put: Vec<(&[u8], &Bytes)> = changes
            .iter()
            .filter_map(|(key, value)| Some((key.as_slice(), value.as_ref()?)))
            .collect();
        let mut parts = parts(&put).into_iter();
        let first = parts.next().unwrap_or_default();
        if parts.len() == 0 {
            // One statement is a transaction by itself.
            return write(&mut self.client, &self.commit, &self.owner, &deleted, first);
        }
        let mut transaction = self.client.transaction()?;
        write(&mut transaction, &self.commit, &self.owner, &deleted, first)?;
        for part in parts {
            write(&mut transaction, &self.commit, &self.owner, &[], part)?;
        }
        transaction.commit()
    }

    pub(super) fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.client
            .query_opt(&self.get, &[&self.owner, &key])?
            .map(|row| row.try_get(0))
            .transpose()
    }

    pub(super) fn scan(
        &mut self,
        range: Range<Vec<u8>>,
        order: Order,
        limit: Limit,
    ) -> Result<Vec<Row>, Error> {
        let (mut start, mut end) = (range.start, range.end);
        if start.is_empty() {
            start.push(0);
        }
        let statement = match order {
            Order::Forward => &self.forward,
            Order::Backward => &self.backward,
        };
        let (mut rows, mut bytes): (Vec<Row>, usize) = (Vec::new(), 0);
        while rows.len() < limit.rows && start < end {
            let asked = (limit.rows - rows.len()).min(ROWS);
            let room = i64::try_from(limit.bytes.saturating_sub(bytes)).unwrap_or(i64::MAX);
            let (most, first) = (asked.cast_signed() as i64, rows.is_empty());
            let answer = self.client.query(
                statement,
                &[&self.owner, &start, &end, &most, &room, &first],
            )?;
            for row in &answer {
                let (key, value): (Vec<u8>, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
                bytes = bytes.saturating_add(key.len() + value.len());
                rows.push((key, value));
            }
            if answer.len() < asked {
                break;
            }
            if let Some((last, _)) = rows.last() {
                match order {
                    // The smallest key after the last one.
                    Order::Forward => start = [last, &[0][..]].concat(),
                    Order::Backward => end.clone_from(last),
                }
            }
        }
        Ok(rows)
    }

    pub(super) fn count(&mut self) -> Result<u64, Error> {
        let count: i64 = self
            .client
            .query_one(sql::COUNT, &[&self.owner])?
            .try_get(0)?;
        Ok(count.unsigned_abs())
    }

    /// Waits until all that was committed is on the server's disk.
    pub(super) fn sync(&mut self, taker: Vec<u8>) -> Result<(), Error> {
        let mut transaction = self.client.transaction()?;
        transaction.batch_execute(sql::WAIT)?;
        // Without a change there would be nothing to wait for.
        write(
            &mut transaction,
            &self.commit,
            &self.owner,
            &[],
            &[(b"", &Bytes::from(taker))],
        )?;
        transaction.commit()
    }
}

/// Splits what is written into statements, each of one row or of no more bytes than the server takes.
fn parts<'a, 'b>(put: &'b [(&'a [u8], &'a Bytes)]) -> Vec<&'b [(&'a [u8], &'a Bytes)]> {
    let size = |(key, value): &(&[u8], &Bytes)| key.len() + value.len();
    let mut bytes = put.first().map_or(0, size);
    put.chunk_by(|_, row| {
        bytes += size(row);
        let fits = bytes <= STATEMENT;
        if !fits {
            bytes = size(row);
        }
        fits
    })
    .collect()
}

fn write(
    client: &mut impl GenericClient,
    commit: &Statement,
    owner: &str,
    deleted: &[&[u8]],
    put: &[(&[u8], &Bytes)],
) -> Result<(), Error> {
    let (keys, values): (Vec<&[u8]>, Vec<&[u8]>) =
        put.iter().map(|(key, value)| (*key, &value[..])).unzip();
    client.execute(commit, &[&owner, &deleted, &keys, &values])?;
    Ok(())
}

/// Makes the tables if there are none, and sees which version made them.
fn tables(client: &mut Client) -> Result<(), StoreError> {
    let mut transaction = client.transaction().map_err(fault)?;
    transaction.batch_execute(sql::LOCK_FORMAT).map_err(fault)?;
    let there = transaction.query_one(sql::TABLES, &[]).map_err(fault)?;
    match (there.get(0), there.get(1)) {
        (true, true) => {}
        (false, false) => {
            transaction.batch_execute(sql::CREATE).map_err(fault)?;
            transaction
                .execute(sql::SET_VERSION, &[&FORMAT])
                .map_err(fault)?;
        }
        _ => {
            return Err(StoreError::Corrupt(
                "one of the tables taipan_store and taipan_store_format is missing".into(),
            ));
        }
    }
    let versions = transaction.query(sql::VERSION, &[]).map_err(fault)?;
    transaction.commit().map_err(fault)?;
    match versions.first().map(|row| row.get::<_, i64>(0)) {
        Some(FORMAT) => Ok(()),
        Some(found) => Err(StoreError::Version {
            found: found.cast_unsigned(),
            known: FORMAT.cast_unsigned(),
        }),
        None => Err(StoreError::Corrupt(
            "the table taipan_store_format is empty".into(),
        )),
    }
}

/// The number of an owner's lock: FNV-1a, so that all versions and machines agree on it.
fn lock_of(owner: &str) -> i64 {
    let sum = b"taipan:"
        .iter()
        .chain(owner.as_bytes())
        .fold(0xCBF2_9CE4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
    sum.cast_signed()
}
