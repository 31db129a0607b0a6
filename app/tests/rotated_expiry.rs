//! Validation of the field Expiration Date of the rotate dialog.

use app::api_keys::rotate::rotated_expiry;
use chrono::NaiveDate;
use domain::key::{RotatedExpiry, expiry::ExpirationDate};

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 24).expect("a date")
}

fn date(text: &str) -> ExpirationDate {
    text.parse().expect("a date")
}

#[test]
fn the_current_date_is_accepted_on_its_last_day_too() {
    for current in ["2026-11-24", "2027-01-31"] {
        assert_eq!(
            rotated_expiry(current, Some(date(current)), today()),
            Ok(RotatedExpiry::Set(Some(date(current))))
        );
    }
}

#[test]
fn any_other_date_must_lie_in_the_future() {
    let current = Some(date("2026-11-24"));
    assert_eq!(
        rotated_expiry("2026-11-25", current, today()),
        Ok(RotatedExpiry::Set(Some(date("2026-11-25"))))
    );
    const NO_DATE: &str = "Must be a date, like 2030-12-31";
    for (refused, message) in [
        ("2026-11-23", "Must be a future date"),
        ("2026-02-30", NO_DATE),
        ("tomorrow", NO_DATE),
        ("incomplete", NO_DATE),
    ] {
        let error = rotated_expiry(refused, current, today()).unwrap_err();
        assert_eq!(
            (error.field.as_str(), error.message.as_str()),
            ("expires_on", message)
        );
    }
}

#[test]
fn the_date_of_an_expired_key_is_not_accepted() {
    let past = "2026-11-10";
    assert!(rotated_expiry(past, Some(date(past)), today()).is_err());
}

#[test]
fn an_empty_field_means_no_expiration() {
    for current in [None, Some(date("2026-11-10")), Some(date("2027-01-31"))] {
        assert_eq!(
            rotated_expiry(" ", current, today()),
            Ok(RotatedExpiry::Set(None))
        );
    }
}
