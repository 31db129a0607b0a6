use domain::permission::{Permission, PermissionSet};
use proptest::prelude::*;

fn permission(text: &str) -> Option<Permission> {
    text.parse().ok()
}

#[test]
fn a_permission_is_resource_colon_action() {
    for text in ["orders:read", "a:b", "api-keys:rotate-self", "0:9"] {
        assert!(permission(text).is_some(), "{text}");
    }
    for text in [
        "",
        ":",
        "orders",
        "orders:",
        ":read",
        "orders:read:all",
        "Orders:read",
        "orders:*",
        "orders: read",
        "örders:read",
    ] {
        assert!(permission(text).is_none(), "{text}");
    }
    assert!(permission(&format!("{}:b", "a".repeat(62))).is_some());
    assert!(permission(&format!("{}:b", "a".repeat(63))).is_none());
}

#[test]
fn a_group_has_at_most_64_permissions() {
    let set = |count: usize| {
        PermissionSet::new((0..count).filter_map(|n| permission(&format!("orders:{n}"))))
    };
    assert!(set(64).is_ok());
    assert!(set(65).is_err());
    let twice = PermissionSet::new(["b:b", "a:a", "b:b"].into_iter().filter_map(permission))
        .expect("a small set");
    assert_eq!(
        serde_json::to_string(&twice).expect("JSON"),
        r#"["a:a","b:b"]"#
    );
}

proptest! {
    #[test]
    fn a_permission_set_contains_exactly_its_members(words in proptest::collection::btree_set("[a-z]{1,4}:[a-z]{1,4}", 0..20), other in "[a-z]{1,4}:[a-z]{1,4}") {
        let set = PermissionSet::new(words.iter().filter_map(|word| permission(word))).expect("a small set");
        let other = permission(&other).expect("a permission");
        prop_assert_eq!(set.contains(&other), words.contains(other.as_str()));
    }
}
