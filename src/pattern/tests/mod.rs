//! Tests of the patterns over fake lanes: one test a behaviour.

mod pipeline;
mod publish;
mod reqrep;
mod rig;
mod router;
mod subscribe;
