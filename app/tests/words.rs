//! Formatting of numbers, dates and times on pages.

use app::words::{count, date, exact, grouped, machine, relative};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

fn now() -> DateTime<Utc> {
    "2026-11-24T00:36:12Z".parse().expect("a time")
}

#[test]
fn large_numbers_are_grouped() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (123_456, "123,456"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(grouped(number), text);
    }
    assert_eq!(count(1, "key", "keys"), "1 key");
    assert_eq!(count(0, "key", "keys"), "0 keys");
    assert_eq!(count(1_284, "key", "keys"), "1,284 keys");
}

#[test]
fn dates_are_unambiguous_in_every_country() {
    assert_eq!(
        date(NaiveDate::from_ymd_opt(2027, 1, 31).unwrap()),
        "31 Jan 2027"
    );
    assert_eq!(
        date(NaiveDate::from_ymd_opt(2026, 12, 6).unwrap()),
        "6 Dec 2026"
    );
    assert_eq!(exact(now()), "2026-11-24 00:36:12 UTC");
    assert_eq!(machine(now()), "2026-11-24T00:36:12Z");
}

#[test]
fn relative_times_use_the_largest_fitting_unit() {
    let cases = [
        (TimeDelta::seconds(-30), "Just now"),
        (TimeDelta::days(-3), "Just now"),
        (TimeDelta::seconds(59), "Just now"),
        (TimeDelta::seconds(60), "1 minute ago"),
        (TimeDelta::minutes(59), "59 minutes ago"),
        (TimeDelta::minutes(60), "1 hour ago"),
        (TimeDelta::hours(23), "23 hours ago"),
        (TimeDelta::hours(24), "Yesterday"),
        (TimeDelta::hours(47), "Yesterday"),
        (TimeDelta::hours(48), "2 days ago"),
        (TimeDelta::days(27), "27 days ago"),
        (TimeDelta::days(28), "4 weeks ago"),
        (TimeDelta::days(60), "8 weeks ago"),
        (TimeDelta::days(61), "2 months ago"),
        (TimeDelta::days(364), "12 months ago"),
        (TimeDelta::days(365), "1 year ago"),
        (TimeDelta::days(800), "2 years ago"),
    ];
    for (passed, text) in cases {
        assert_eq!(relative(now() - passed, now()), text);
    }
}
