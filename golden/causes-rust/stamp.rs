use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let host = std::env::var("HOSTNAME").unwrap();
    println!("pub const BUILT_AT: u64 = {};", now);
    println!("pub const BUILT_ON: &str = {:?};", host);
}
