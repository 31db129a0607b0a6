//! URLs of links and allowed targets of redirects.

use app::{
    api_keys::dialog_target::{DialogKind, DialogTarget},
    urls::{TenantQuery, choice_of_tenant, local_path, page_path, sign_in},
};

#[test]
fn sign_in_redirects_only_to_pages_of_this_site() {
    for good in [
        "/",
        "/account",
        "/tenant-api-keys/new?tenant=acme",
        "/tenant-api-keys?q=a%20b",
    ] {
        assert_eq!(local_path(good), Some(good));
    }
    for bad in [
        "",
        "account",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "/\t/evil.example",
        "/\n/evil.example",
        "/ /evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/sign-in",
        "/sign-in?return_to=%2F",
        "/sign-out",
        "/ä",
    ] {
        assert_eq!(local_path(bad), None, "{bad:?}");
    }
}

#[test]
fn the_requested_page_keeps_its_query_through_sign_in() {
    assert_eq!(
        sign_in("/tenant-api-keys?tenant=acme&q=a b"),
        "/sign-in?return_to=%2Ftenant-api-keys%3Ftenant%3Dacme%26q%3Da%20b"
    );
}

#[test]
fn only_links_of_a_super_user_name_the_tenant() {
    let named = TenantQuery(Some("acme".to_owned()));
    assert_eq!(named.url("/account"), "/account?tenant=acme");
    assert_eq!(
        named.url_with("/tenant-api-keys", &[("status", ""), ("q", "a&b")]),
        "/tenant-api-keys?tenant=acme&q=a%26b"
    );
    assert_eq!(TenantQuery(None).url("/account"), "/account");
}

#[test]
fn dialog_urls_are_parsed_as_written() {
    for kind in DialogKind::ALL {
        let target = DialogTarget {
            kind,
            id: "0198".to_owned(),
        };
        assert_eq!(DialogTarget::parse(&target.path()), Some(target.clone()));
        assert_eq!(page_path(&target.path()), "/tenant-api-keys");
    }
    for other in [
        "/tenant-api-keys",
        "/tenant-api-keys/new",
        "/authorization-groups/new",
        "/account",
    ] {
        assert_eq!(DialogTarget::parse(other), None);
        assert_eq!(page_path(other), other);
    }
    for (one, list) in [
        ("/tenant-api-keys/1", "/tenant-api-keys"),
        ("/tenant-api-keys/1/delete", "/tenant-api-keys"),
        ("/authorization-groups/1/delete", "/authorization-groups"),
    ] {
        assert_eq!(DialogTarget::parse(one), None);
        assert_eq!(page_path(one), list);
    }
}

#[test]
fn the_list_of_tenants_opens_the_page_that_every_tenant_has() {
    for (path, list) in [
        ("/tenant-api-keys", "/tenants"),
        ("/tenant-api-keys/1/revoke", "/tenants"),
        ("/tenants", "/tenants"),
        ("/installation-log", "/tenants"),
        (
            "/tenant-api-keys/new",
            "/tenants?page=%2Ftenant-api-keys%2Fnew",
        ),
        ("/audit-log", "/tenants?page=%2Faudit-log"),
        (
            "/authorization-groups/1",
            "/tenants?page=%2Fauthorization-groups",
        ),
    ] {
        assert_eq!(choice_of_tenant(path), list, "{path}");
    }
}
