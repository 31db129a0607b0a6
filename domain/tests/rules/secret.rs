use domain::key::format::{KeyPrefix, Secret};
use proptest::prelude::*;
use std::convert::Infallible;

fn secret_of(prefix: &str, bytes: &[u8]) -> Secret {
    let mut source = bytes.iter().copied().cycle();
    let fill = |buffer: &mut [u8]| {
        buffer.fill_with(|| source.next().unwrap_or_default());
        Ok::<(), Infallible>(())
    };
    let Ok(secret) = Secret::generate(&prefix.parse().expect("a prefix"), fill);
    secret
}

#[test]
fn p30_the_example_token_of_the_contract_is_generated() {
    let zeros = secret_of("lk", &[0]);
    assert_eq!(zeros.expose(), format!("lk_{}0dawgh", "0".repeat(32)));
    assert_eq!(zeros.hint(), "lk_…awgh");
}

#[test]
fn p30_bytes_that_would_bias_a_character_are_discarded() {
    // Bytes 248 to 255 would favour the first eight digits. The byte between them encodes digit `1`.
    let secret = secret_of("lk", &[248, 255, 250, 1]);
    assert!(secret.expose()[3..].starts_with(&"1".repeat(32)));
}

#[test]
fn p32_every_other_form_than_the_exact_token_is_refused() {
    let good = secret_of("lk", b"an example and not a real secret")
        .expose()
        .to_owned();
    assert!(Secret::parse(&good).is_some());
    let flipped: String = good
        .chars()
        .enumerate()
        .map(|(index, character)| match index {
            4 if character.is_ascii_lowercase() => character.to_ascii_uppercase(),
            4 => character.to_ascii_lowercase(),
            _ => character,
        })
        .collect();
    for wrong in [
        &good[..good.len() - 1],
        &format!("{good}0"),
        &flipped,
        &good.replacen("lk_", "lx_", 1),
        &good.replacen("lk_", "LK_", 1),
        &good.replacen('_', "%5F", 1),
        &good.replacen("lk", "l\u{43a}", 1),
        &format!(" {good}"),
        &format!("{good},{good}"),
        "",
        "lk_",
    ] {
        assert_ne!(wrong, good, "the example must differ");
        assert!(Secret::parse(wrong).is_none(), "{wrong:?}");
    }
}

#[test]
fn prefixes_with_underscores_and_earlier_prefixes_are_parsed() {
    for prefix in ["lk", "acme_live", "a", "a123456789012345"] {
        let secret = secret_of(prefix, &[7, 99, 200]);
        assert_eq!(Secret::parse(secret.expose()), Some(secret.clone()));
        assert!(secret.hint().starts_with(&format!("{prefix}_…")));
    }
    for prefix in ["", "1a", "_a", "Lk", "lk-live", "a1234567890123456"] {
        assert!(prefix.parse::<KeyPrefix>().is_err(), "{prefix:?}");
    }
}

#[test]
fn p31_debug_output_hides_the_secret() {
    assert_eq!(format!("{:?}", secret_of("lk", &[9])), "Secret(…)");
}

proptest! {
    #[test]
    fn every_secret_is_parsed_and_any_single_changed_character_is_detected(
        bytes in proptest::collection::vec(0_u8..248, 32..64),
        position in 0_usize..41,
        other in proptest::char::range('0', 'z'),
    ) {
        let secret = secret_of("lk", &bytes);
        prop_assert_eq!(Secret::parse(secret.expose()), Some(secret.clone()));
        let mut wrong: Vec<char> = secret.expose().chars().collect();
        prop_assume!(wrong[position] != other);
        wrong[position] = other;
        prop_assert_eq!(Secret::parse(&wrong.into_iter().collect::<String>()), None);
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,80}") {
        let _ = Secret::parse(&text);
    }
}
