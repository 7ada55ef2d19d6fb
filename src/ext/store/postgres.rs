//! A store in a PostgreSQL database, which many messengers may share.
//!
//! ```text
//!   PostgresStore ── jobs ──► worker: a thread with the connection ──► server
//!                 ◄─ answers ─┘
//! ```

mod fault;
mod session;
mod sql;
mod store;
mod worker;

pub use store::PostgresStore;
