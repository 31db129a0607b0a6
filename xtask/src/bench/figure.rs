//! A measured figure and its limit.

use std::collections::BTreeMap;

use serde::Serialize;

/// Bytes in a mebibyte.
pub(crate) const MIB: f64 = 1024.0 * 1024.0;

#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Limit>,
    /// Other figures of the same measurement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) details: BTreeMap<&'static str, f64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            limit: None,
            details: BTreeMap::new(),
        }
    }

    pub(crate) fn limit(self, limit: impl Into<Option<Limit>>) -> Self {
        Self {
            limit: limit.into(),
            ..self
        }
    }

    /// Whether the figure is within its limit. NaN is within no limit.
    pub(crate) fn is_within(&self) -> bool {
        match self.limit {
            Some(Limit::AtLeast(least)) => self.value >= least,
            Some(Limit::AtMost(most)) => self.value <= most,
            Some(Limit::Below(bound)) => self.value < bound,
            None => true,
        }
    }

    /// Name, value, limit, verdict, details.
    pub(crate) fn row(&self) -> [String; 5] {
        let unit = match self.unit {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let digits = match unit.as_str() {
            "" => 2,
            _ if self.value < 100.0 => 1,
            _ => 0,
        };
        let limit = self.limit.map_or(String::new(), |limit| match limit {
            Limit::AtLeast(bound) => format!("≥ {bound}{unit}"),
            Limit::AtMost(bound) => format!("≤ {bound}{unit}"),
            Limit::Below(bound) => format!("< {bound}{unit}"),
        });
        let verdict = match (self.limit, self.is_within()) {
            (None, _) => "",
            (_, true) => "OK",
            (_, false) => "BEYOND",
        };
        let details = self.details.iter().map(|(name, value)| match *value {
            value if value < 100.0 => format!("{name} {value:.2}"),
            value => format!("{name} {}", grouped(value.round() as u64)),
        });
        [
            self.name.clone(),
            format!("{:.digits$}{unit}", self.value),
            limit,
            verdict.to_owned(),
            details.collect::<Vec<_>>().join(", "),
        ]
    }
}

/// The median; the mean of the two middle values if their number is even.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_its_limit() {
        let verdict = |value, limit| Figure::new("x", value, "ms").limit(limit).row()[3].clone();
        assert_eq!(verdict(1.2, Limit::AtMost(1.2)), "OK");
        assert_eq!(verdict(1.21, Limit::AtMost(1.2)), "BEYOND");
        assert_eq!(verdict(300.0, Limit::Below(300.0)), "BEYOND");
        assert_eq!(verdict(f64::NAN, Limit::Below(300.0)), "BEYOND");
        assert_eq!(verdict(92.0, Limit::AtLeast(92.0)), "OK");
        assert_eq!(verdict(91.0, Limit::AtLeast(92.0)), "BEYOND");
        assert_eq!(Figure::new("x", 9.0, "").row(), ["x", "9.00", "", "", ""]);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two() {
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median([95.0, 82.0, 91.0]), 91.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(grouped(100), "100");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
