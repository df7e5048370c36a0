//! Serves a disk to the program that started it.

fn main() -> std::io::Result<()> {
    strongroom_conformance_disk::serve()
}
