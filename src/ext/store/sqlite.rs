//! A store in a SQLite file.
//!
//! One table, `rows(key, sum, value)`, found by a unique index over `key`. A table without rowids would need no index, but it
//! keeps only about an eighth of a page of each row in the tree. Both were measured (2 cores, virtual disk, keys of 23 bytes,
//! thousands of rows a second, `Sync::Every`; the file in MiB):
//!
//! | values, batch | table | page | put | scan | delete | file |
//! |---|---|---|---|---|---|---|
//! | 150 B, 64 rows | without rowid | 4 KiB | 304 | 2428 | 388 | 10 |
//! | | with rowid | 4 KiB | 299 | 2050 | 281 | 10 |
//! | | **with rowid** | **8 KiB** | 290 | 2618 | 268 | 11 |
//! | 1500 B, 64 rows | without rowid | 4 KiB | 35 | 295 | 121 | 128 |
//! | | with rowid | 4 KiB | 83 | 631 | 223 | 53 |
//! | | **with rowid** | **8 KiB** | 102 | 838 | 136 | 43 |
//! | 100 kB, 8 rows | without rowid | 4 KiB | 2.3 | 22 | 14 | 94 |
//! | | with rowid | 4 KiB | 3.1 | 34 | 12 | 80 |
//! | | **with rowid** | **8 KiB** | 3.9 | 44 | 16 | 80 |
//! | 150 B, 1 row | without rowid | 4 KiB | 75 | 3324 | 73 | |
//! | | **with rowid** | **8 KiB** | 34 | 3865 | 31 | |
//!
//! With `Sync::EveryCommit` the disk decides: 4 to 7 thousand commits of one row a second whatever the table. Pages of 16 KiB
//! read large values faster still, and double what a commit of one row writes.

mod check;
mod create;
mod fault;
mod options;
mod row_sum;
mod store;

pub use options::{Check, Sync};
pub use store::{SqliteBuilder, SqliteStore};
