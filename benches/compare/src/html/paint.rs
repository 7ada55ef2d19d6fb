//! Colours, the same for a peer in every chart, and text that is safe within a page.

use std::collections::HashMap;

use crate::model::Report;
use crate::peers::Part;

/// Ours: warm and strong.
const OURS: [&str; 4] = ["#d9480f", "#f08c00", "#e03131", "#c2255c"];
/// Others: cool hues that can be told apart.
const OTHERS: [&str; 14] = [
    "#1971c2", "#2f9e44", "#6741d9", "#0c8599", "#5c940d", "#364fc7", "#862e9c", "#099268",
    "#4dabf7", "#82c91e", "#9775fa", "#3bc9db", "#495057", "#a0522d",
];
/// Bounds: grey, and dashed.
const BOUNDS: [&str; 3] = ["#868e96", "#adb5bd", "#5f6b76"];

pub struct Paint {
    colours: HashMap<String, (&'static str, Part)>,
}

impl Paint {
    pub fn new(report: &Report) -> Paint {
        let mut used = [0; 3];
        let colours = report.peers.iter().map(|about| {
            let (palette, at): (&[&'static str], usize) = match about.part {
                Part::Ours => (&OURS, 0),
                Part::Other => (&OTHERS, 1),
                Part::Bound => (&BOUNDS, 2),
            };
            let colour = palette[used[at] % palette.len()];
            used[at] += 1;
            (about.id.clone(), (colour, about.part))
        });
        Paint {
            colours: colours.collect(),
        }
    }

    pub fn colour(&self, peer: &str) -> &'static str {
        self.colours
            .get(peer)
            .map_or("#868e96", |(colour, _)| colour)
    }

    pub fn part(&self, peer: &str) -> Part {
        self.colours
            .get(peer)
            .map_or(Part::Other, |(_, part)| *part)
    }

    /// A square of the peer's colour.
    pub fn swatch(&self, peer: &str) -> String {
        format!("<i style=\"background:{}\"></i>", self.colour(peer))
    }
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
