//! Single sign-on: states, links, and a restore.

use chrono::TimeDelta;
use domain::{
    Error,
    client_address::ClientAddress,
    session::Authentication,
    store::{
        restore::Word,
        single_sign_on::{
            Begin, SsoBrowser, SsoOutcome, SsoPerson, SsoRefusal, SsoRules, StateFault,
        },
    },
    user::Role,
    user_agent::Browser,
};

use crate::{
    backup::backup_of,
    restore::restored,
    sign_in::MIRA,
    test_store::{TestStore, on_every_database},
    users::{add_user, email, number},
};

const ISSUER: &str = "https://login.example";

fn client() -> ClientAddress {
    ClientAddress::known("192.0.2.7".parse().expect("an address"))
}

fn begin() -> Begin<'static> {
    Begin {
        return_to: Some("/audit-log"),
        is_fresh: false,
        client: client(),
    }
}

fn person(subject: &str) -> SsoPerson {
    SsoPerson {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        email: Some(email(MIRA)),
        is_email_verified: true,
        name: None,
        tenant: None,
        role: None,
        authenticated_at: None,
    }
}

fn rules() -> SsoRules {
    SsoRules {
        allowed_domains: vec!["acme.example".to_owned()],
        ..SsoRules::default()
    }
}

async fn sign_in(fixture: &TestStore, person: &SsoPerson) -> SsoOutcome {
    let store = fixture.store.single_sign_on();
    let browser = SsoBrowser {
        kind: Browser::default(),
        device: None,
        previous: None,
    };
    store
        .sign_in(person, &rules(), client(), browser, fixture.now)
        .await
        .expect("an outcome")
}

#[tokio::test]
async fn a_state_is_redeemed_once_by_its_browser_in_time() {
    on_every_database(async |fixture| {
        let store = fixture.store.single_sign_on();
        let now = fixture.now;
        let begun = store.begin(begin(), now).await.unwrap();
        let state = begun.state.expose();
        let redeem = async |browser, minutes| {
            let at = now + TimeDelta::minutes(minutes);
            store.redeem(state, browser, at).await.unwrap()
        };
        let fault = async |browser, minutes| redeem(browser, minutes).await.map(drop);
        let other = store.begin(begin(), now).await.unwrap().browser;
        assert_eq!(fault(None, 1).await, Err(StateFault::OtherBrowser));
        assert_eq!(fault(Some(&other), 1).await, Err(StateFault::OtherBrowser));
        assert_eq!(
            fault(Some(&begun.browser), 10).await,
            Err(StateFault::Expired)
        );
        let redeemed = redeem(Some(&begun.browser), 9).await.unwrap();
        assert_eq!(redeemed.return_to.as_deref(), Some("/audit-log"));
        assert_eq!(redeemed.fresh_since, None);
        assert_eq!(redeemed.begun.nonce(), begun.nonce());
        assert_eq!(redeemed.begun.pkce_verifier(), begun.pkce_verifier());
        assert_eq!(fault(Some(&begun.browser), 9).await, Err(StateFault::Used));
        // Another replica
        let replica = domain::store::Store::open(fixture.options()).await.unwrap();
        let again = replica.single_sign_on();
        let again = again
            .redeem(state, Some(&begun.browser), now)
            .await
            .unwrap();
        assert_eq!(again.map(drop), Err(StateFault::Used));
        // Old states are deleted when others begin.
        let later = now + TimeDelta::hours(2);
        store.begin(begin(), later).await.unwrap();
        assert_eq!(number(fixture, "SELECT count(*) FROM sso_states").await, 1);
        let unknown = store
            .redeem(state, Some(&begun.browser), later)
            .await
            .unwrap();
        assert_eq!(unknown.map(drop), Err(StateFault::Unknown));
    })
    .await;
}

#[tokio::test]
async fn of_many_uses_of_a_state_one_counts() {
    on_every_database(async |fixture| {
        let store = fixture.store.single_sign_on();
        let begun = store.begin(begin(), fixture.now).await.unwrap();
        let uses =
            (0..50).map(|_| store.redeem(begun.state.expose(), Some(&begun.browser), fixture.now));
        let mut redeemed = 0;
        for outcome in futures_join(uses).await {
            match outcome.unwrap() {
                Ok(_) => redeemed += 1,
                Err(fault) => assert_eq!(fault, StateFault::Used),
            }
        }
        assert_eq!(redeemed, 1);
    })
    .await;
}

/// Runs futures concurrently on this task.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_done = true;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => is_done = false,
                }
            }
        }
        if is_done {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

#[tokio::test]
async fn the_command_links_a_person_and_replaces_the_link() {
    on_every_database(async |fixture| {
        fixture.tenant("acme").await;
        add_user(fixture, MIRA, Role::TenantAdmin, Some("acme")).await;
        add_user(fixture, "root@acme.example", Role::SuperUser, None).await;
        let operator = fixture.store.as_cli();
        let store = fixture.store.single_sign_on();
        let link = async |address: &str, subject: &str| {
            store
                .link(&operator, &email(address), ISSUER, subject, fixture.now)
                .await
        };
        for wrong in ["", "a\nb", &"x".repeat(256)] {
            assert!(matches!(link(MIRA, wrong).await, Err(Error::Invalid(_))));
        }
        assert!(matches!(
            link("no@acme.example", "1").await,
            Err(Error::NotFound("user"))
        ));
        link("root@acme.example", "root").await.unwrap();
        link(MIRA, "one").await.unwrap();
        link(MIRA, "one").await.unwrap();
        assert!(matches!(
            link(MIRA, "root").await,
            Err(Error::AlreadyExists { .. })
        ));
        link(MIRA, "two").await.unwrap();
        let events = "SELECT count(*) FROM audit_events WHERE action = 'user.sso_linked'";
        assert_eq!(number(fixture, events).await, 3);
        // The earlier person finds the user's address linked to another.
        assert!(matches!(
            sign_in(fixture, &person("one")).await,
            SsoOutcome::Refused(SsoRefusal::LinkedToOther)
        ));
        let mut root = person("root");
        root.role = Some(Role::Member);
        let SsoOutcome::SignedIn { user, .. } = sign_in(fixture, &root).await else {
            panic!("refused");
        };
        assert_eq!(user.role, Role::SuperUser);
    })
    .await;
}

#[tokio::test]
async fn a_session_stores_how_and_when_the_identity_was_proved() {
    on_every_database(async |fixture| {
        fixture.tenant("acme").await;
        add_user(fixture, MIRA, Role::TenantAdmin, Some("acme")).await;
        for authenticated_at in [None, Some(fixture.now - TimeDelta::minutes(3))] {
            let known = SsoPerson {
                authenticated_at,
                ..person("one")
            };
            let SsoOutcome::SignedIn { session, .. } = sign_in(fixture, &known).await else {
                panic!("refused");
            };
            let sessions = fixture.store.sessions();
            let signed_in = sessions.authenticate(&session, client(), fixture.now).await;
            let session = signed_in.unwrap().expect("a session").session;
            assert_eq!(session.authentication, Authentication::SingleSignOn);
            assert_eq!(session.authenticated_at, authenticated_at);
        }
    })
    .await;
}

#[tokio::test]
async fn p55_a_restore_brings_back_no_link_that_was_replaced_and_no_state() {
    let fixture = TestStore::on_sqlite().await;
    fixture.tenant("acme").await;
    add_user(&fixture, MIRA, Role::TenantAdmin, Some("acme")).await;
    add_user(&fixture, "joe@acme.example", Role::Member, Some("acme")).await;
    let operator = fixture.store.as_cli();
    let store = fixture.store.single_sign_on();
    let link = async |address: &str, subject: &str| {
        store
            .link(&operator, &email(address), ISSUER, subject, fixture.now)
            .await
            .unwrap();
    };
    link(MIRA, "one").await;
    link("joe@acme.example", "joe").await;
    let begun = store.begin(begin(), fixture.now).await.unwrap();
    let file = backup_of(&fixture).await;
    link(MIRA, "two").await;
    let redeemed = store
        .redeem(begun.state.expose(), Some(&begun.browser), fixture.now)
        .await;
    redeemed.unwrap().unwrap();

    let restored = restored(&fixture, &file, &Word::default()).await;
    let changes: Vec<_> = restored
        .changes
        .iter()
        .map(|change| (change.action.as_str(), change.target.name.as_str()))
        .collect();
    assert_eq!(changes, [("user.sso_unlinked", MIRA)]);
    let links = "SELECT count(*) FROM user_identities WHERE subject = 'joe'";
    assert_eq!(number(&fixture, links).await, 1);
    assert_eq!(
        number(&fixture, "SELECT count(*) FROM user_identities").await,
        1
    );
    assert_eq!(number(&fixture, "SELECT count(*) FROM sso_states").await, 0);
}
