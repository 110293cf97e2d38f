pub fn first(of: &[u8]) -> u8 {
    of[0]
}
