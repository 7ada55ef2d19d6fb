//! The files of the library's `src/shm` that are explored, and the models.

// Each model uses a part of what the library has.
#![allow(dead_code)]

#[path = "../../../../src/shm/area.rs"]
mod area;
#[path = "../../../../src/shm/live.rs"]
mod live;
mod models;
mod outside;
#[path = "../../../../src/shm/ring.rs"]
mod ring;
#[path = "../../../../src/shm/view.rs"]
mod view;

use outside::{bell, error, pool};
