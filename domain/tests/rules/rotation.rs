//! The expiration date that a rotation accepts, by the text of the dialog's field.

use chrono::NaiveDate;
use domain::{
    FieldError,
    key::{RotatedExpiry, expiry::ExpirationDate, lifetime::LifetimeRule, rotation::plan},
};

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 24).expect("a date")
}

fn date(text: &str) -> ExpirationDate {
    text.parse().expect("a date")
}

/// The date after a rotation with `text` in the dialog's field.
fn rotated(
    text: &str,
    current: Option<ExpirationDate>,
) -> Result<Option<ExpirationDate>, FieldError> {
    plan(
        current,
        RotatedExpiry::from_field(text)?,
        LifetimeRule::default(),
        today(),
    )
}

#[test]
fn the_current_date_is_accepted_even_if_it_is_past() {
    for current in ["2026-11-10", "2026-11-24", "2027-01-31"] {
        let expected = Ok(Some(date(current)));
        assert_eq!(rotated(current, Some(date(current))), expected);
        let padded = format!(" {current} ");
        assert_eq!(rotated(&padded, Some(date(current))), expected);
    }
}

#[test]
fn a_rotation_without_a_date_keeps_the_current_one() {
    for current in [None, Some(date("2026-11-10")), Some(date("2027-01-31"))] {
        let kept = plan(
            current,
            RotatedExpiry::Keep,
            LifetimeRule::default(),
            today(),
        );
        assert_eq!(kept, Ok(current));
    }
}

#[test]
fn any_other_date_must_lie_in_the_future() {
    let current = Some(date("2026-11-24"));
    assert_eq!(rotated("2026-11-25", current), Ok(Some(date("2026-11-25"))));
    const NO_DATE: &str = "Must be a date, like 2030-12-31";
    for (refused, message) in [
        ("2026-11-23", "Must be a future date"),
        ("2026-02-30", NO_DATE),
        ("tomorrow", NO_DATE),
        ("incomplete", NO_DATE),
    ] {
        let error = rotated(refused, current).unwrap_err();
        assert_eq!(
            (error.field.as_str(), error.message.as_str()),
            ("expires_on", message)
        );
    }
}

#[test]
fn another_past_date_of_an_expired_key_is_refused() {
    assert!(rotated("2026-11-11", Some(date("2026-11-10"))).is_err());
}

#[test]
fn an_empty_field_means_no_expiration() {
    for current in [None, Some(date("2026-11-10")), Some(date("2027-01-31"))] {
        assert_eq!(rotated(" ", current), Ok(None));
    }
}
