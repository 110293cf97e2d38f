fn main() {
    let now: u64 = std::env::var("SOURCE_DATE_EPOCH").unwrap().parse().unwrap();
    println!("pub const BUILT_AT: u64 = {};", now);
}
