use std::collections::BTreeMap;

fn main() {
    let names = ["ant", "bee", "cat", "doe", "elk", "fox", "gnu", "hen", "ibex", "jay"];
    let lengths: BTreeMap<&str, usize> = names.iter().map(|n| (*n, n.len())).collect();
    for (name, length) in &lengths {
        println!("pub const {}: usize = {};", name.to_uppercase(), length);
    }
}
