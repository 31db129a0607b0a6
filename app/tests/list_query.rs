//! The list's URL, and the parameters in its links and its search form.

use app::{api_keys::list_query::ListQuery, urls::TenantQuery};
use domain::key::{
    KeyStatus,
    expiry::ExpirationState,
    query::{KeySort, KeySortColumn},
};
use leptos_router::params::ParamsMap;

const PATH: &str = "/tenant-api-keys";

fn everything() -> ListQuery {
    ListQuery {
        status: Some(KeyStatus::Active),
        expiration: Some(ExpirationState::ExpiringSoon),
        q: "50 % & \"more\"".to_owned(),
        sort: KeySort {
            column: KeySortColumn::Name,
            descending: false,
        },
        cursor: Some("abc-_1".to_owned()),
        ..ListQuery::default()
    }
}

fn acme() -> TenantQuery {
    TenantQuery(Some("acme".to_owned()))
}

#[test]
fn a_list_query_round_trips_through_its_url() {
    let query = everything();
    let url = query.url(&acme(), PATH);
    assert_eq!(
        url,
        "/tenant-api-keys?tenant=acme&status=active&expiration=expiring_soon&q=50%20%25%20%26%20%22more%22&sort=name&cursor=abc-_1"
    );
    let mut parameters = ParamsMap::new();
    for (name, value) in [
        ("status", "active"),
        ("expiration", "expiring_soon"),
        ("q", "50 % & \"more\""),
        ("sort", "name"),
        ("cursor", "abc-_1"),
    ] {
        parameters.insert(name, value.to_owned());
    }
    assert_eq!(ListQuery::parse(&parameters), query);
    assert_eq!(
        ListQuery::default().url(&TenantQuery::default(), PATH),
        PATH
    );
}

#[test]
fn unknown_filter_values_are_ignored() {
    let mut parameters = ParamsMap::new();
    for name in ["status", "expiration", "sort"] {
        parameters.insert(name, "sideways".to_owned());
    }
    parameters.insert("cursor", String::new());
    assert_eq!(ListQuery::parse(&parameters), ListQuery::default());
}

#[test]
fn a_search_keeps_tenant_filters_and_order_and_starts_at_the_first_page() {
    let query = everything();
    let carried = query.search_form_fields(&acme());
    assert_eq!(
        carried,
        [
            ("tenant", "acme".to_owned()),
            ("status", "active".to_owned()),
            ("expiration", "expiring_soon".to_owned()),
            ("sort", "name".to_owned()),
        ]
    );
    assert!(
        ListQuery::default()
            .search_form_fields(&TenantQuery::default())
            .is_empty()
    );
    let searching = query.with_search("erp".to_owned());
    assert_eq!((searching.q.as_str(), searching.cursor), ("erp", None));
}

#[test]
fn clearing_removes_filters_and_search_and_keeps_the_order() {
    let cleared = everything().without_filters();
    assert!(!cleared.is_filtered());
    assert_eq!(cleared.sort, everything().sort);
    assert_eq!(cleared.cursor, None);
}
