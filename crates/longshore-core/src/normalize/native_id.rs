//! Row ids of native mode: one whole number a row, cheap to make, to compress and to join on.

use crate::package::LoadId;

/// Milliseconds from 1970 to 2020-01-01, where the ids begin.
const EPOCH_MILLIS: u64 = 1_577_836_800_000;
/// Ids a millisecond of load time has to itself.
const PER_MILLI_BITS: u32 = 13;
const MILLI_BITS: u32 = 40;
const PIPELINE_BITS: u32 = 10;

/// Returns the row id of a table's `row`-th row in a load.
///
/// From the top: a zero, 10 bits of the pipeline's name, 40 bits of the load id's milliseconds since
/// 2020 (until 2054), 13 bits. Row numbers are added to that, so a load of more than 8,192 rows in
/// one table runs into the numbers of the next milliseconds. That is sound because a pipeline's loads
/// follow one another, and none makes 8 million rows of a table in a second. The name keeps apart
/// two pipelines that load the same table at the same time.
pub fn native_row_id(load_id: &LoadId, pipeline: &str, row: u64) -> i64 {
    let millis = (load_id.micros() / 1000).saturating_sub(EPOCH_MILLIS) & ((1 << MILLI_BITS) - 1);
    let name = hash(pipeline.as_bytes()) >> (64 - PIPELINE_BITS);
    let base = name << (MILLI_BITS + PER_MILLI_BITS) | millis << PER_MILLI_BITS;
    (base + row) as i64
}

/// FNV-1a, finished with a multiplication so that the top bits depend on every byte.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    (fnv ^ fnv >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SystemColumns;

    #[test]
    fn ids_of_later_loads_are_greater_and_never_negative() {
        let first = LoadId::from_micros(1_763_826_000_000_000, SystemColumns::Native);
        let later = LoadId::from_micros(1_763_826_001_000_000, SystemColumns::Native);
        let last = native_row_id(&first, "shop", 8_000_000);
        assert!(last > 0 && last < native_row_id(&later, "shop", 0));
        assert_ne!(native_row_id(&first, "shop", 0), native_row_id(&first, "shop_api", 0));
        assert!(native_row_id(&LoadId::from_micros(u64::MAX, SystemColumns::Native), "z", 0) >= 0);
    }
}
