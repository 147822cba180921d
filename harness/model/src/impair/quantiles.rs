//! The shapes of jitter as tables of quantiles, the form in which netem takes a distribution.
//!
//! A table has 4,096 sorted values that are equally likely. They are in units of 1/8192 of the
//! spread, so a 16-bit number reaches from −4 to +4 times the spread; values beyond are cut off
//! there.

use std::sync::LazyLock;

/// Number that stands for 1 in a table: `NETEM_DIST_SCALE` (include/uapi/linux/pkt_sched.h).
pub const SCALE: i64 = 8192;

/// Number of values of the tables that are made here.
const POINTS: usize = 4096;

/// The normal distribution with mean 0 and standard deviation 1.
pub(crate) static NORMAL: LazyLock<Box<[i16]>> =
    LazyLock::new(|| table(|point| normal_quantile((point as f64 + 0.5) / POINTS as f64)));

/// netem's Pareto distribution: shape 3, shifted and scaled to mean 0 and a lowest value of −2/3.
///
/// The table is `pareto.dist` of iproute2, value by value.
pub(crate) static PARETO: LazyLock<Box<[i16]>> = LazyLock::new(|| {
    table(|point| {
        let above = 1.0 - point as f64 / POINTS as f64;
        (above.powf(-1.0 / 3.0) - 1.5) * 4.0 / 3.0
    })
});

fn table(quantile: impl Fn(usize) -> f64) -> Box<[i16]> {
    let units = |point| (quantile(point) * SCALE as f64).round();
    (0..POINTS).map(|point| units(point) as i16).collect()
}

/// Returns the value that a standard normal variable stays below with this probability.
///
/// This is Peter Acklam's rational approximation, whose relative error of 10⁻⁹ is far below the
/// step of the table.
fn normal_quantile(probability: f64) -> f64 {
    const A: [f64; 6] = [
        -39.69683028665376,
        220.9460984245205,
        -275.9285104469687,
        138.357751867269,
        -30.66479806614716,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -54.47609879822406,
        161.5858368580409,
        -155.6989798598866,
        66.80131188771972,
        -13.28068155288572,
        1.0,
    ];
    const C: [f64; 6] = [
        -0.007784894002430293,
        -0.3223964580411365,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] = [
        0.007784695709041462,
        0.3224671290700398,
        2.445134137142996,
        3.754408661907416,
        1.0,
    ];
    const TAIL: f64 = 0.02425;
    let polynomial = |of: &[f64], x: f64| of.iter().fold(0.0, |sum, factor| sum * x + factor);
    if probability > 0.5 {
        return -normal_quantile(1.0 - probability);
    }
    if probability < TAIL {
        let q = (-2.0 * probability.ln()).sqrt();
        return polynomial(&C, q) / polynomial(&D, q);
    }
    let q = probability - 0.5;
    q * polynomial(&A, q * q) / polynomial(&B, q * q)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Φ⁻¹ from tables.
    #[test]
    fn quantiles_of_the_normal_distribution_are_right() {
        for (probability, quantile) in [
            (0.5, 0.0),
            (0.841_344_746, 1.0),
            (0.975, 1.959_963_985),
            (0.001, -3.090_232_306),
        ] {
            assert!((normal_quantile(probability) - quantile).abs() < 1e-7);
        }
    }

    /// Compares the first lines and the cut of iproute2's `pareto.dist`.
    #[test]
    fn the_pareto_table_is_that_of_netem() {
        assert_eq!(
            PARETO[..8],
            [-5461, -5460, -5460, -5459, -5458, -5457, -5456, -5455]
        );
        assert_eq!(PARETO[POINTS - 1], i16::MAX);
    }
}
