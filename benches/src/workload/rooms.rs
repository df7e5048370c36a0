//! How messages are spread over rooms.

/// How unequal rooms are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Skew {
    /// Room number `r` has a share in proportion to `1 / r`: few large rooms, many small ones, as in a messenger.
    Zipf,
    /// All have the same.
    Uniform,
}

/// Rooms and their shares of the messages.
#[derive(Clone, Debug)]
pub struct Rooms {
    /// For each room the share of it and of all before it.
    cumulative: Vec<f64>,
}

impl Rooms {
    /// `count` rooms, at least one.
    pub fn new(count: usize, skew: Skew) -> Self {
        let weight = |room: usize| match skew {
            Skew::Zipf => 1.0 / (room + 1) as f64,
            Skew::Uniform => 1.0,
        };
        let count = count.max(1);
        let whole: f64 = (0..count).map(weight).sum();
        let shares = (0..count).scan(0.0, |sum, room| {
            *sum += weight(room) / whole;
            Some(*sum)
        });
        Rooms { cumulative: shares.collect() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cumulative.len()
    }

    /// A room, the larger the likelier. Number 0 is the largest.
    pub(super) fn pick(&self, rng: &mut fastrand::Rng) -> usize {
        let at = rng.f64();
        self.cumulative.partition_point(|share| *share <= at).min(self.count() - 1)
    }

    /// A room's share of all messages.
    pub(super) fn share(&self, room: usize) -> f64 {
        let before = room.checked_sub(1).map_or(0.0, |before| self.cumulative[before]);
        self.cumulative[room] - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_picked_by_their_share() {
        for skew in [Skew::Zipf, Skew::Uniform] {
            let (rooms, mut rng) = (Rooms::new(10, skew), fastrand::Rng::with_seed(1));
            let mut found = [0_u32; 10];
            (0..100_000).for_each(|_| found[rooms.pick(&mut rng)] += 1);
            for (room, found) in found.into_iter().enumerate() {
                let (share, is) = (rooms.share(room), f64::from(found) / 100_000.0);
                assert!((share - is).abs() < 0.01, "{skew:?}: room {room} has {is}, not {share}");
            }
        }
        assert!(Rooms::new(10, Skew::Zipf).share(0) > 9.0 * Rooms::new(10, Skew::Zipf).share(9));
    }
}
