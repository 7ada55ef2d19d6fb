//! What PostgreSQL's errors mean to the owner of a store.

use std::error::Error as _;
use std::io;

use postgres::Error;
use postgres::error::SqlState;

use super::super::error::StoreError;

/// The error of a store for one of the client.
pub(super) fn fault(error: Error) -> StoreError {
    let Some(state) = error.code() else {
        let lost = error.is_closed()
            || error
                .source()
                .is_some_and(|source| source.is::<io::Error>());
        return if lost {
            StoreError::Unavailable(Box::new(error))
        } else {
            StoreError::Failed(Box::new(error))
        };
    };
    let gone = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_SESSION_TIMEOUT,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    // Class 08 is the connection, class XX damage and errors within the server.
    if gone.contains(state) || state.code().starts_with("08") {
        StoreError::Unavailable(Box::new(error))
    } else if *state == SqlState::DISK_FULL {
        StoreError::Full(said(&error))
    } else if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(state) {
        StoreError::Corrupt(said(&error))
    } else {
        StoreError::Failed(Box::new(error))
    }
}

/// The client's own words are "db error"; the server says what it is.
fn said(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
