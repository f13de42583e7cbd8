//! Chance that is the same on every machine and for ever.

/// A generator of pseudo-random numbers, SplitMix64 (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014): a seed must mean the same script for ever, which no
/// library promises of its own generators.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of one script of one seed.
    pub(crate) fn new(seed: u64, script: u64) -> Dice {
        let mut of_seed = Dice(seed);
        let mut of_script = Dice(of_seed.number() ^ script);
        Dice(of_script.number())
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound`, exclusive.
    ///
    /// # Panics
    ///
    /// When `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "there is no number below 0");
        ((u64::from(self.number() as u32) * u64::from(bound)) >> 32) as u32
    }

    /// Whether something happens that does so `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of the items, all alike; none of none.
    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let count = u32::try_from(items.len()).expect("a list fits into memory");
        (count > 0).then(|| items[self.below(count) as usize].clone())
    }

    /// One of the items, each as often as its weight says.
    ///
    /// # Panics
    ///
    /// When all weights are 0.
    pub(crate) fn weighted<T: Clone>(&mut self, items: &[(u32, T)]) -> T {
        let mut rest = self.below(items.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in items {
            match rest.checked_sub(*weight) {
                None => return item.clone(),
                Some(less) => rest = less,
            }
        }
        unreachable!("the weights were summed up")
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The reference implementation (prng.di.unimi.it/splitmix64.c) from the seed 1234567.
        let mut dice = Dice(1_234_567);
        let numbers = [(); 3].map(|()| dice.number());
        let reference =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(numbers, reference);
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::new(0, 0);
        let mut counts = [0_u32; 3];
        for _ in 0..10_000 {
            counts[dice.weighted(&[(1, 0_usize), (0, 1), (3, 2)])] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((2_300..2_700).contains(&counts[0]), "{counts:?}");
    }
}
