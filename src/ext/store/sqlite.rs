//! A store in a SQLite file.

mod check;
mod create;
mod fault;
mod options;
mod row_sum;
mod store;

pub use options::{Check, Sync};
pub use store::{SqliteBuilder, SqliteStore};
