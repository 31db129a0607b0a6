//! Sums over the days of a key's usage, for chart, legend, table and description.

use chrono::NaiveDate;
use domain::key::usage::DayUsage;

/// The sums of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsageTotals {
    /// Accepted requests.
    pub(super) accepted: u64,
    /// Refused requests.
    pub(super) refused: u64,
    /// The lowest number of accepted requests on one day.
    pub(super) fewest_accepted: u64,
    /// The highest number of accepted requests on one day.
    pub(super) most_accepted: u64,
    /// The first day with the most refused requests, and their number. `None` if none was refused.
    pub(super) worst: Option<(NaiveDate, u64)>,
    /// The requests of the busiest day, accepted and refused.
    pub(super) busiest: u64,
}

impl UsageTotals {
    /// The sums over `days`.
    pub(super) fn of(days: &[DayUsage]) -> Self {
        let accepted = || days.iter().map(|day| day.accepted);
        let refused = || days.iter().map(DayUsage::refused_total);
        let worst = days
            .iter()
            .fold(None, |worst: Option<(NaiveDate, u64)>, day| {
                let count = day.refused_total();
                match worst {
                    _ if count == 0 => worst,
                    Some((_, most)) if most >= count => worst,
                    _ => Some((day.date, count)),
                }
            });
        Self {
            accepted: accepted().sum(),
            refused: refused().sum(),
            fewest_accepted: accepted().min().unwrap_or(0),
            most_accepted: accepted().max().unwrap_or(0),
            worst,
            busiest: (days.iter())
                .map(|day| day.accepted.saturating_add(day.refused_total()))
                .max()
                .unwrap_or(0),
        }
    }

    /// Whether there was no request.
    pub(super) const fn is_empty(&self) -> bool {
        self.accepted == 0 && self.refused == 0
    }
}

/// The code with the most refusals on a day; of two with the same number, the first by name.
pub(super) fn most_frequent_reason(day: &DayUsage) -> Option<&str> {
    let mut most: Option<(&str, u64)> = None;
    for (code, count) in &day.refused {
        if *count > most.map_or(0, |(_, count)| count) {
            most = Some((code, *count));
        }
    }
    most.map(|(code, _)| code)
}

/// The end of a scale: the next even round number from `most` on, so that its half is a whole number.
pub(super) fn round_scale(most: u64) -> u64 {
    const STEPS: [u64; 11] = [10, 12, 16, 20, 30, 40, 50, 60, 80, 90, 100];
    if most <= 10 {
        return most.max(2).next_multiple_of(2);
    }
    // Ten to the power of the number of digits minus two, so that a step has two significant digits.
    let unit = 10_u64.pow(most.ilog10().saturating_sub(1));
    STEPS
        .into_iter()
        .filter_map(|step| step.checked_mul(unit))
        .find(|end| *end >= most)
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32, accepted: u64, refused: &[(&str, u64)]) -> DayUsage {
        DayUsage {
            date: NaiveDate::from_ymd_opt(2026, 11, number).unwrap(),
            accepted,
            refused: refused
                .iter()
                .map(|(code, count)| ((*code).to_owned(), *count))
                .collect(),
        }
    }

    #[test]
    fn totals_are_the_sums_of_the_days_and_the_worst_day_is_the_first_with_the_most_refusals() {
        let days = [
            day(1, 7, &[]),
            day(2, 3, &[("ip_not_allowed", 4), ("expired_api_key", 1)]),
            day(3, 0, &[("missing_permission", 5)]),
            day(4, 9, &[("ip_not_allowed", 1)]),
        ];
        assert_eq!(
            UsageTotals::of(&days),
            UsageTotals {
                accepted: 19,
                refused: 11,
                fewest_accepted: 0,
                most_accepted: 9,
                worst: Some((days[1].date, 5)),
                busiest: 10,
            }
        );
        assert_eq!(most_frequent_reason(&days[1]), Some("ip_not_allowed"));
        assert_eq!(most_frequent_reason(&days[0]), None);
        let none = UsageTotals::of(&[day(1, 0, &[])]);
        assert!(none.is_empty() && none.worst.is_none());
    }

    #[test]
    fn a_scale_ends_at_a_round_even_number_that_no_day_exceeds() {
        let ends = [
            0, 1, 2, 3, 9, 10, 11, 13, 21, 99, 100, 101, 1_153, 1_180, 1_201,
        ]
        .map(round_scale);
        assert_eq!(
            ends,
            [
                2, 2, 2, 4, 10, 10, 12, 16, 30, 100, 100, 120, 1_200, 1_200, 1_600
            ]
        );
        for most in [u64::from(u32::MAX), u64::MAX / 2, u64::MAX] {
            assert!(round_scale(most) >= most);
        }
    }
}
