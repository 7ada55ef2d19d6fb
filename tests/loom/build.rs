//! Chooses the loom variants in the files of `src/shm`. A setting of this package alone: as a flag for the compiler it
//! would reach every dependency.

fn main() {
    println!("cargo::rustc-cfg=taipan_loom");
}
