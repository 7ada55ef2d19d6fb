//! Stores: where messages wait that must outlive their process.
//!
//! A [`Store`] is an ordered map from bytes to bytes with atomic batches, and nothing more, so that any engine that can sort
//! and commit can be one, and one suite of tests runs on all of them. What the keys mean is the business of the layer above.
//!
//! ```text
//!   Messenger ── Changes ──► Store::commit      all or nothing; Durability says what an Ok is worth
//!             ◄── rows ───── Store::get, scan
//! ```
//!
//! | store | feature | a commit survives |
//! |---|---|---|
//! | [`MemoryStore`] | `reliable` | nothing: it lives in this process |
//! | [`SqliteStore`] | `sqlite` | the process; the machine, as its `Sync` option says |
//! | [`PostgresStore`] | `postgres` | what the server's `synchronous_commit` says |

mod changes;
mod contract;
mod error;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use changes::Changes;
pub use contract::{Durability, Limit, Order, Progress, Row, Store};
pub use error::StoreError;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{Check, SqliteBuilder, SqliteStore, Sync};
