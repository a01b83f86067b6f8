/// A number that looks random and is the same for the same arguments, on every machine: FNV-1a over the text,
/// stirred by the finaliser of `SplitMix64`.
pub fn roll(seed: u64, salt: u64, text: &str) -> u64 {
    let mut hash =
        0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.rotate_left(32);
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A number from `low` up to, not including, `high`; `low` if there is none.
pub fn between(low: i64, high: i64, roll: u64) -> i64 {
    let width = u64::try_from(high.saturating_sub(low)).unwrap_or(0).max(1);
    low.saturating_add(i64::try_from(roll % width).unwrap_or(0))
}
