//! Where links lead, and where a redirect may.

use app::{
    api_keys::dialog_target::{DialogKind, DialogTarget, page_of},
    urls::{TenantQuery, local_path, sign_in},
};

#[test]
fn sign_in_leads_back_to_pages_of_this_site_alone() {
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
fn the_page_that_was_asked_for_survives_its_own_query() {
    assert_eq!(
        sign_in("/tenant-api-keys?tenant=acme&q=a b"),
        "/sign-in?return_to=%2Ftenant-api-keys%3Ftenant%3Dacme%26q%3Da%20b"
    );
}

#[test]
fn a_tenant_stands_in_every_link_of_a_super_user_and_in_nobody_elses() {
    let named = TenantQuery(Some("acme".to_owned()));
    assert_eq!(named.url("/account"), "/account?tenant=acme");
    assert_eq!(
        named.url_with("/tenant-api-keys", &[("status", ""), ("q", "a&b")]),
        "/tenant-api-keys?tenant=acme&q=a%26b"
    );
    assert_eq!(TenantQuery(None).url("/account"), "/account");
}

#[test]
fn the_urls_of_dialogs_are_read_as_they_are_written() {
    for kind in DialogKind::ALL {
        let target = DialogTarget {
            kind,
            id: "0198".to_owned(),
        };
        assert_eq!(DialogTarget::of(&target.path()), Some(target.clone()));
        assert_eq!(page_of(&target.path()), "/tenant-api-keys");
    }
    for other in [
        "/tenant-api-keys",
        "/tenant-api-keys/new",
        "/tenant-api-keys/1/delete",
        "/account",
    ] {
        assert_eq!(DialogTarget::of(other), None);
        assert_eq!(page_of(other), other);
    }
}
