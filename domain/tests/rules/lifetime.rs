//! The rule for the lifetime of keys.

use chrono::{Days, NaiveDate};
use domain::key::{
    RotatedExpiry,
    expiry::ExpirationDate,
    lifetime::{BrokenLifetime, LifetimeDays, LifetimeRule},
    rotation::plan,
};
use proptest::prelude::*;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 29).expect("a date")
}

/// The date `days` days from today.
fn in_days(days: u64) -> Option<ExpirationDate> {
    let date = today().checked_add_days(Days::new(days));
    Some(date.expect("a date").into())
}

fn days(days: u32) -> LifetimeDays {
    days.try_into().expect("a lifetime")
}

fn at_most(max: u32) -> LifetimeRule {
    LifetimeRule {
        expiration_required: false,
        max_days: Some(days(max)),
    }
}

const REQUIRED: LifetimeRule = LifetimeRule {
    expiration_required: true,
    max_days: None,
};

#[test]
fn a_lifetime_is_a_whole_number_of_days_within_bounds() {
    for (text, expected) in [
        ("1", Some(1)),
        ("3650", Some(3_650)),
        ("090", Some(90)),
        ("0", None),
        ("3651", None),
        ("", None),
        ("+90", None),
        ("-1", None),
        ("90.5", None),
        ("9e1", None),
        ("９０", None),
        ("99999999999", None),
    ] {
        let parsed = text.parse::<LifetimeDays>().ok().map(LifetimeDays::get);
        assert_eq!(parsed, expected, "{text}");
    }
    assert_eq!(days(1).to_string(), "1 day");
    assert_eq!(days(3_650).to_string(), "3,650 days");
}

#[test]
fn an_empty_rule_permits_every_date_and_none() {
    let rule = LifetimeRule::default();
    for date in [None, in_days(1), in_days(100_000)] {
        assert_eq!(rule.check(date, today()), Ok(()));
        assert_eq!(rule.latest_up_to(date, today()), date);
    }
}

#[test]
fn a_date_that_breaks_the_rule_has_the_message_of_the_rule() {
    let message = |rule: LifetimeRule, date| {
        let error = rule.check(date, today()).expect_err("refused");
        assert_eq!(error.field, "expires_on");
        error.message
    };
    let required = "An expiration date is required";
    assert_eq!(message(REQUIRED, None), required);
    assert_eq!(REQUIRED.check(in_days(100_000), today()), Ok(()));
    // A key without a date exceeds every longest lifetime.
    assert_eq!(message(at_most(90), None), required);
    assert_eq!(at_most(90).check(in_days(90), today()), Ok(()));
    let too_late = "Must be at most 90 days from today";
    assert_eq!(message(at_most(90), in_days(91)), too_late);
    let one_day = "Must be at most 1 day from today";
    assert_eq!(message(at_most(1), in_days(2)), one_day);
}

#[test]
fn a_rotation_must_comply_also_if_it_keeps_the_date() {
    let rotated = |current, wanted, rule| plan(current, wanted, rule, today());
    for wanted in [RotatedExpiry::Keep, RotatedExpiry::Set(in_days(91))] {
        let error = rotated(in_days(91), wanted, at_most(90)).expect_err("refused");
        assert_eq!(error.message, "Must be at most 90 days from today");
    }
    let never = rotated(None, RotatedExpiry::Keep, REQUIRED).expect_err("refused");
    assert_eq!(never.message, "An expiration date is required");
    let kept = rotated(in_days(90), RotatedExpiry::Keep, at_most(90));
    assert_eq!(kept, Ok(in_days(90)));
}

#[test]
fn the_latest_date_is_never_later_than_the_current_one() {
    for (current, rule, expected) in [
        (in_days(300), at_most(90), in_days(90)),
        (in_days(30), at_most(90), in_days(30)),
        (None, at_most(90), in_days(90)),
        (in_days(300), REQUIRED, in_days(300)),
        // No longest lifetime is set: the longest one that can be.
        (None, REQUIRED, in_days(3_650)),
        (None, LifetimeRule::default(), None),
    ] {
        let date = plan(current, RotatedExpiry::Latest, rule, today());
        assert_eq!(date, Ok(expected), "{current:?} {rule:?}");
    }
}

#[test]
fn an_existing_key_has_a_reason_for_being_outside() {
    let broken = at_most(180).broken_by(in_days(300), today());
    let expected = BrokenLifetime::TooLong {
        days: 300,
        max: days(180),
    };
    assert_eq!(broken, Some(expected));
    assert_eq!(
        expected.sentence(true),
        "300 days from rotation, the policy allows 180. The key works."
    );
    assert_eq!(
        expected.sentence(false),
        "300 days from creation, the policy allows 180. The key works."
    );
    let never = REQUIRED.broken_by(None, today());
    assert_eq!(never, Some(BrokenLifetime::NeverExpires));
}

proptest! {
    #[test]
    fn a_permitted_date_stays_within_the_policy_and_any_other_is_outside(max in 1_u32..=3_650, ahead in 1_u64..5_000, required: bool) {
        let rule = LifetimeRule { expiration_required: required, max_days: Some(days(max)) };
        let date = in_days(ahead);
        prop_assert_eq!(rule.check(date, today()).is_ok(), ahead <= u64::from(max));
        prop_assert_eq!(rule.broken_by(date, today()).is_none(), ahead <= u64::from(max));
        let latest = rule.latest_up_to(date, today());
        prop_assert_eq!(rule.check(latest, today()), Ok(()));
        prop_assert!(latest <= date);
    }
}
