//! The effect of a change on the requests of the last days. A preview never blocks a save.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// The addresses that used a key and that an allowlist would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowlistPreview {
    /// The first day of the period, UTC.
    pub first_day: NaiveDate,
    /// The last day of the period, UTC: today.
    pub last_day: NaiveDate,
    /// The number of addresses that used the key on these days. Clients with an unknown address count as one.
    pub addresses: u64,
    /// The addresses that the allowlist would refuse, the most recently used first.
    pub refused: Vec<PreviewedAddress>,
    /// Accepted requests without a stored address, because the key had more than 50 addresses on their day. It is unknown whether the
    /// allowlist would refuse them.
    pub other_requests: u64,
}

impl AllowlistPreview {
    /// The maximum number of refused addresses that [`sentence`](Self::sentence) lists.
    pub const MAX_LISTED: usize = 10;

    /// A sentence for the user, such as "Of 5 addresses that used this key in the last 7 days, 2 would be refused: 203.0.113.9 (today),
    /// 198.51.100.7 (3 days ago)."
    #[must_use]
    pub fn sentence(&self) -> String {
        let summary = self.summary("this key");
        if self.refused.is_empty() {
            return summary;
        }
        let mut listed: Vec<_> = self
            .refused
            .iter()
            .take(Self::MAX_LISTED)
            .map(|address| format!("{} ({})", address.ip, self.ago(address.last_date)))
            .collect();
        let more = self.refused.len().saturating_sub(Self::MAX_LISTED);
        if more > 0 {
            listed.push(format!("and {more} more"));
        }
        format!("{}: {}.", summary.trim_end_matches('.'), listed.join(", "))
    }

    /// The numbers as a sentence, without the addresses. `used` is what the addresses used, such as `this key`.
    #[must_use]
    pub fn summary(&self, used: &str) -> String {
        let days = self.days_before_last(self.first_day) + 1;
        let addresses = match self.addresses {
            0 => return format!("No address used {used} in the last {days} days."),
            1 => "1 address".to_owned(),
            many => format!("{many} addresses"),
        };
        let refused = match self.refused.len() {
            0 => "none".to_owned(),
            refused => refused.to_string(),
        };
        format!(
            "Of {addresses} that used {used} in the last {days} days, {refused} would be refused."
        )
    }

    /// The requests that the preview does not judge, as a sentence; `None` if there are none.
    #[must_use]
    pub fn unjudged(&self) -> Option<String> {
        let requests = match self.other_requests {
            0 => return None,
            1 => "1 more request".to_owned(),
            many => format!("{many} more requests"),
        };
        Some(format!(
            "{requests} came from addresses that are not stored: it is unknown whether they would be refused."
        ))
    }

    /// `today`, `yesterday`, `3 days ago`.
    #[must_use]
    pub fn ago(&self, date: NaiveDate) -> String {
        match self.days_before_last(date) {
            ..=0 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            days => format!("{days} days ago"),
        }
    }

    fn days_before_last(&self, date: NaiveDate) -> i64 {
        self.last_day.signed_duration_since(date).num_days()
    }
}

/// The effect of the text of an allowlist's field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllowlistCheck {
    /// The list admits the same clients as the stored one.
    Unchanged,
    /// The list differs from the stored one.
    Changed(AllowlistPreview),
}

/// An address that used a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewedAddress {
    /// The address, or `unknown`.
    pub ip: String,
    /// The last day on which it used the key, UTC.
    pub last_date: NaiveDate,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(addresses: u64, refused: &[(&str, u32)]) -> AllowlistPreview {
        let day = |days: u32| NaiveDate::from_ymd_opt(2027, 3, 9 - days).unwrap();
        AllowlistPreview {
            first_day: day(6),
            last_day: day(0),
            addresses,
            refused: (refused.iter())
                .map(|(ip, days)| PreviewedAddress {
                    ip: (*ip).to_owned(),
                    last_date: day(*days),
                })
                .collect(),
            other_requests: 0,
        }
    }

    #[test]
    fn the_sentence_lists_refused_addresses_with_their_last_day() {
        assert_eq!(
            preview(5, &[("203.0.113.9", 0), ("198.51.100.7", 3)]).sentence(),
            "Of 5 addresses that used this key in the last 7 days, 2 would be refused: 203.0.113.9 (today), 198.51.100.7 (3 days ago)."
        );
        assert_eq!(
            preview(1, &[("2001:db8::1", 1)]).sentence(),
            "Of 1 address that used this key in the last 7 days, 1 would be refused: 2001:db8::1 (yesterday)."
        );
        assert_eq!(
            preview(2, &[]).sentence(),
            "Of 2 addresses that used this key in the last 7 days, none would be refused."
        );
        assert_eq!(
            preview(0, &[]).sentence(),
            "No address used this key in the last 7 days."
        );
    }

    #[test]
    fn the_sentence_lists_ten_refused_addresses_and_the_number_of_the_others() {
        let sentence = preview(20, &[("192.0.2.1", 2); 14]).sentence();
        assert_eq!(sentence.matches("192.0.2.1 (2 days ago)").count(), 10);
        assert!(sentence.contains("14 would be refused: "), "{sentence}");
        assert!(sentence.ends_with(", and 4 more."), "{sentence}");
    }

    #[test]
    fn unjudged_requests_are_stated() {
        let mut preview = preview(1, &[]);
        assert_eq!(preview.unjudged(), None);
        preview.other_requests = 3;
        let stated = preview.unjudged().unwrap();
        assert!(stated.starts_with("3 more requests came from"), "{stated}");
    }
}
