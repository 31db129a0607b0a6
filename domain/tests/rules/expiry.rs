use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::key::{
    expiry::{ExpirationDate, ExpirationState},
    form::parse_future,
};
use proptest::prelude::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

#[test]
fn p40_a_key_works_until_the_end_of_its_day_and_no_longer() {
    let last: ExpirationDate = "2027-01-31".parse().expect("a date");
    assert!(!last.is_over(at("2027-01-31T00:00:00Z")));
    assert!(!last.is_over(at("2027-01-31T23:59:59.999Z")));
    assert!(last.is_over(at("2027-02-01T00:00:00Z")));
    assert_eq!(last.ends_at(), at("2027-02-01T00:00:00Z"));
}

#[test]
fn p41_only_future_dates_in_iso_form_are_accepted() {
    let today = date("2026-11-25");
    for text in ["2026-11-25", "2026-11-24", "1970-01-01"] {
        let error = parse_future(text, today).expect_err(text);
        assert_eq!(error.message, "Must be a future date", "{text}");
    }
    for text in [
        "2027-02-30",
        "2027-02-29",
        "2030-12-31T00:00:00Z",
        "31.12.2030",
        "1924905600",
        "2027-13-01",
        "2027-01-31T00:00:00Z",
        "10000-01-01",
        "+2027-01-01",
        "20270131",
        "2027-1-31",
        "31.01.2027",
        "1",
        "soon",
        "2027-01-3１",
        "-027-01-31",
    ] {
        let error = parse_future(text, today).expect_err(text);
        assert_eq!(
            (error.field.as_str(), error.message.as_str()),
            ("expires_on", "Must be a date, like 2030-12-31"),
            "{text}"
        );
    }
    for text in ["2026-11-26", "2027-11-25", "2028-02-29", "9999-12-31"] {
        assert!(
            parse_future(text, today).is_ok_and(|date| date.is_some()),
            "{text}"
        );
    }
    assert_eq!(parse_future("  ", today), Ok(None));
}

#[test]
fn the_last_date_of_the_calendar_does_not_overflow() {
    let last: ExpirationDate = "9999-12-31".parse().expect("a date");
    assert!(!last.is_over(at("9999-12-31T23:59:59Z")));
    assert_eq!(last.to_string(), "9999-12-31");
}

#[test]
fn expiring_soon_follows_the_setting_and_includes_today() {
    let today = date("2026-11-25");
    let state =
        |days: i64| ExpirationState::on(Some((today + TimeDelta::days(days)).into()), today, 30);
    assert_eq!(state(-1), ExpirationState::Expired);
    assert_eq!(state(0), ExpirationState::ExpiringSoon);
    assert_eq!(state(30), ExpirationState::ExpiringSoon);
    assert_eq!(state(31), ExpirationState::Valid);
    assert_eq!(ExpirationState::on(None, today, 30), ExpirationState::Valid);
}

proptest! {
    #[test]
    fn expiry_by_date_equals_expiry_by_time(days in 0_u64..200_000, second in 0_u32..86_400, offset in -3_i64..=3) {
        let last = date("1970-01-01") + Days::new(days);
        let now = (last + TimeDelta::days(offset)).and_hms_opt(0, 0, 0).expect("midnight").and_utc() + TimeDelta::seconds(second.into());
        let expired = ExpirationState::on(Some(last.into()), now.date_naive(), 30) == ExpirationState::Expired;
        prop_assert_eq!(expired, ExpirationDate::from(last).is_over(now));
    }

    #[test]
    fn parsing_a_date_never_panics(text in "\\PC{0,12}") {
        if let Ok(date) = text.parse::<ExpirationDate>() {
            prop_assert_eq!(date.to_string(), text);
        }
    }
}
