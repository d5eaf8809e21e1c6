//! Some figures of one kind: how far they are apart.

use serde::Serialize;

/// Some figures of one kind: the one in the middle and the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of these figures; `None` if there are none.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let upper = *figures.get(middle)?;
        let median = if figures.len() % 2 == 1 {
            upper
        } else {
            f64::midpoint(*figures.get(middle - 1)?, upper)
        };
        Some(Self {
            median,
            least: *figures.first()?,
            most: *figures.last()?,
        })
    }

    /// Of the ratios of figures that belong together.
    #[must_use]
    pub fn of_ratios(
        figures: impl IntoIterator<Item = f64>,
        base: impl IntoIterator<Item = f64>,
    ) -> Option<Self> {
        Self::of(figures.into_iter().zip(base).map(|(figure, base)| figure / base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let spread = Spread::of([4.0, 1.0, 2.0, 10.0]).unwrap();
        assert_eq!((spread.median, spread.least, spread.most), (3.0, 1.0, 10.0));
        assert_eq!(Spread::of([]), None);
    }
}
