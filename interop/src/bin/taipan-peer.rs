//! A socket of taipan that obeys lines on stdin; see `taipan_interop::serve` for the format.

fn main() {
    taipan_interop::serve(|options| Box::new(taipan_interop::TaipanPeer::new(options)));
}
