//! The store itself: what is asked is handed to the thread that has the connection.

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::Duration;

use postgres::Config;
use postgres::config::Host;

use super::super::changes::Changes;
use super::super::contract::{Durability, Limit, Order, Progress, Row, Store};
use super::super::error::StoreError;
use super::session::Owner;
use super::worker::Worker;

/// How long it tries to connect, unless the URL says otherwise.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the server may leave what was sent without an acknowledgement, unless the URL says otherwise.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes of the name of an owner.
const NAME: usize = 255;

/// How much `verify` reads at a time.
const CHUNK: Limit = Limit {
    rows: 10_000,
    bytes: 16 << 20,
};

/// A store in a PostgreSQL database (version 14 or later).
///
/// Many owners share one database: its tables are `taipan_store` and `taipan_store_format`, made if they are missing. Each
/// owner has one lock, held as long as its connection is, so that a second store for the same owner is
/// [`StoreError::Locked`]. The lock belongs to the session; a pooler that hands sessions around does not work.
///
/// When the connection is lost, the call that finds out is [`StoreError::Unavailable`] and the next one connects again; it is
/// [`StoreError::Locked`] if another has had the rows meanwhile. A commit whose connection is lost may have happened, then as a
/// whole; committing it again does no harm.
///
/// Calls come from any thread, those of a runtime included; a thread of the store's own talks to the server. The connection
/// is not encrypted: to servers on other machines, go through a tunnel.
pub struct PostgresStore {
    worker: Worker,
    name: String,
    taker: Vec<u8>,
    durable: (bool, bool),
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the store of an owner. The URL is one of libpq's, `postgres://user:password@host:port/database`, or a list of
    /// `key=value`; unless it says otherwise, `connect_timeout` is 10 seconds and `tcp_user_timeout` 30. The owner is any name
    /// of 1 to 255 bytes, without NUL.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the server cannot be reached. [`StoreError::Locked`] if another has this owner's rows.
    /// [`StoreError::Version`] if another version of this library made the tables, and [`StoreError::Corrupt`] if one of
    /// them is missing. [`StoreError::Failed`] if the URL or the name is none, or the server refuses.
    pub fn connect(url: &str, owner: &str) -> Result<Self, StoreError> {
        let mut config: Config = url
            .parse()
            .map_err(|error: postgres::Error| StoreError::Failed(Box::new(error)))?;
        if owner.is_empty() || owner.len() > NAME || owner.contains('\0') {
            let what = "the name of an owner has 1 to 255 bytes, without NUL";
            let error = io::Error::new(io::ErrorKind::InvalidInput, what);
            return Err(StoreError::Failed(Box::new(error)));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("taipan");
        }
        let name = format!("postgres:{} ({owner})", place(&config));
        let taker = rand::random::<[u8; 16]>().to_vec();
        let owner = Owner {
            name: owner.to_owned(),
            taker: taker.clone(),
        };
        let worker = Worker::start(config, owner)?;
        let durable = worker.call(|session| Ok(session.durable))?;
        Ok(PostgresStore {
            worker,
            name,
            taker,
            durable,
        })
    }
}

/// Where the database is, without a word about how to get in.
fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => config
            .get_hostaddrs()
            .first()
            .map_or_else(String::new, ToString::to_string),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    // Without a name, the database is called as the user.
    let database = config.get_dbname().or(config.get_user()).unwrap_or("");
    format!("//{host}:{port}/{database}")
}

impl Store for PostgresStore {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let changes = changes.clone();
        self.worker.call(move |session| session.commit(&changes))
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if key.is_empty() {
            return Ok(None);
        }
        let key = key.to_vec();
        self.worker.call(move |session| session.get(&key))
    }

    fn scan(
        &mut self,
        range: Range<&[u8]>,
        order: Order,
        limit: Limit,
    ) -> Result<Vec<Row>, StoreError> {
        let range = range.start.to_vec()..range.end.to_vec();
        self.worker
            .call(move |session| session.scan(range, order, limit))
    }

    fn durability(&self) -> Durability {
        match self.durable {
            (true, true) => Durability::Disk,
            _ => Durability::Machine(None),
        }
    }

    /// Waits for the server's disk, if its `fsync` is on.
    fn sync(&mut self) -> Result<(), StoreError> {
        match self.durable {
            (false, true) => {
                let taker = self.taker.clone();
                self.worker.call(move |session| session.sync(taker))
            }
            _ => Ok(()),
        }
    }

    /// Reads all rows of the owner; if the server keeps sums of its pages, it checks them. Progress counts rows.
    fn verify(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        let of = self.worker.call(|session| session.count())?;
        // Longer than any key, and so after all of them.
        let end = [0xFF; 1025];
        let (mut done, mut start) = (0, vec![0]);
        loop {
            let rows = self.scan(&start..&end, Order::Forward, CHUNK)?;
            done += rows.len() as u64;
            progress(Progress::new(done, Some(of)));
            let Some((mut last, _)) = rows.into_iter().next_back() else {
                return Ok(());
            };
            last.push(0);
            start = last;
        }
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
