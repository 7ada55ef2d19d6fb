//! Tests of the patterns over fake lanes.
