//! How a level of a search is split among machines.

use std::fmt;
use std::str::FromStr;

/// One of several shards, the first of which is number 1.
///
/// Which shard a state belongs to follows from its packed form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Shard {
    pub(crate) number: u32,
    pub(crate) count: u32,
}

/// Why something names no shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a shard is K/N, with K from 1 to N, as in 2/8")]
pub struct ShardError;

impl Shard {
    /// Shard number `number` of `count`.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn new(number: u32, count: u32) -> Result<Shard, ShardError> {
        if (1..=count).contains(&number) { Ok(Shard { number, count }) } else { Err(ShardError) }
    }

    /// Whether what has this hash belongs to the shard.
    pub(crate) fn owns(self, hash: u64) -> bool {
        // The upper half of the product, by which every shard has its share whatever their number.
        let place = (u128::from(hash) * u128::from(self.count)) >> 64;
        place == u128::from(self.number - 1)
    }
}

/// Writes `2/8`.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        let (number, count) = text.split_once('/').ok_or(ShardError)?;
        let parse = |text: &str| text.parse().map_err(|_| ShardError);
        Shard::new(parse(number)?, parse(count)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_as_it_is_written() {
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
        for wrong in ["0/8", "9/8", "2", "2/", "-1/3", "1/0", "a/b"] {
            assert_eq!(wrong.parse::<Shard>(), Err(ShardError), "{wrong}");
        }
    }

    #[test]
    fn everything_belongs_to_one_shard() {
        for hash in (0..1000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
            let owns = |&number: &u32| Shard { number, count: 7 }.owns(hash);
            assert_eq!((1..=7).filter(owns).count(), 1);
        }
    }
}
