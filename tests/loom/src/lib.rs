//! Models of the shared-memory rings: loom runs them through all the orders in which two threads can meet.
//!
//! A package of its own, because under loom a part of the library cannot exist (memory files, maps) and the rest would
//! be built for nothing. It includes the files that hold the algorithms (`live`, `area`, `ring`, `view`) as they are;
//! `shm/outside.rs` stands in for what they touch of the system. `.ci/loom` runs it.

#[cfg(test)]
mod shm;
