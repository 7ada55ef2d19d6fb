//! The report for programs: every repetition, and the medians that the table shows.

use serde_json::{Value, json};

use crate::Outcome;
use crate::args::Plan;
use crate::meter::Sample;
use crate::peers::Peer;
use crate::report::{Spread, latency, machine, measured};
use crate::run::Row;

fn spread(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Value {
    match Spread::of(samples, figure) {
        Some(Spread { median, min, max }) => json!({ "median": median, "min": min, "max": max }),
        None => Value::Null,
    }
}

fn figures(peer: &dyn Peer, samples: &[Sample]) -> Value {
    let mut figures = json!({
        "peer": peer.id(),
        "messages_per_second": spread(samples, Sample::messages_per_second),
        "bytes_per_second": spread(samples, Sample::bytes_per_second),
        "cpu_us_per_message": spread(samples, Sample::cpu_us_per_message),
        "samples": samples,
    });
    if samples.iter().any(|sample| sample.latency_us.is_some()) {
        for (which, name) in ["p50_us", "p99_us", "p999_us"].iter().enumerate() {
            figures[*name] = spread(samples, |sample| latency(sample, which));
        }
    }
    figures
}

fn cell(row: &Row, peers: &[Box<dyn Peer>]) -> Value {
    let missing = row.entries.iter().filter_map(|entry| {
        let why = entry.result.as_ref().err()?;
        Some(json!({ "peer": peers[entry.peer].id(), "why": why }))
    });
    json!({
        "id": row.cell.id,
        "name": row.cell.name,
        "transport": row.cell.transport.to_string(),
        "shape": row.cell.shape.to_string(),
        "placement": row.cell.placement.to_string(),
        "size": row.cell.size,
        "count": row.count,
        "window": row.cell.window(),
        "figures": measured(row)
            .map(|(entry, samples)| figures(&*peers[entry.peer], samples))
            .collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
    })
}

/// The whole document.
pub fn document(plan: &Plan, rows: &[Row], peers: &[Box<dyn Peer>]) -> Outcome<String> {
    let who = peers
        .iter()
        .map(|peer| json!({ "id": peer.id(), "version": peer.version(), "manner": peer.manner() }));
    let document = json!({
        "machine": machine(),
        "rounds": plan.rounds,
        "quick": plan.quick,
        "smoke": plan.smoke,
        "peers": who.collect::<Vec<_>>(),
        "cells": rows.iter().map(|row| cell(row, peers)).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&document)?)
}
