//! What the check of one request costs: `cargo bench -p domain --features store`.
fn main() {}
