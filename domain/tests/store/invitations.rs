//! Invitations, links that set a new password, and links that sign a super user in.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    store::{
        TenantScope,
        invitations::{Acceptance, AcceptedForm, IssuedLink, LinkState},
        one_time_links::{LinkEnd, LinkPurpose, LinkToken},
        sign_in_link::{LinkBrowser, LinkSignIn},
        tenant_users::{PeopleQuery, PersonState},
        user_changes::UserChange,
    },
    user::{Role, User},
    user_agent::Browser,
    user_rule::UserRule,
};
use tokio::task::JoinSet;

use crate::{
    sign_in::{HOME, MIRA, client, try_password},
    test_store::{TestStore, on_every_database},
    user_changes::{insert_user, scope_of},
    users::{OTHER_PASSWORD, PASSWORD, add_mira, add_user, email, number, one_text},
};

const SANNE: &str = "sanne@acme.example";

const SANNES_FORM: AcceptedForm<'static> = AcceptedForm {
    name: "Sanne Vos",
    password: OTHER_PASSWORD,
};

/// The tenant Acme with the administrator Mira, and her scope.
async fn with_mira(fixture: &TestStore) -> (User, TenantScope) {
    fixture.tenant("acme").await;
    let mira = insert_user(fixture, MIRA, Role::TenantAdmin).await;
    let scope = scope_of(fixture, &mira).await;
    (mira, scope)
}

async fn invite(fixture: &TestStore, scope: &TenantScope, at: DateTime<Utc>) -> IssuedLink {
    let users = fixture.store.tenant_users(scope);
    let invited = users.invite(&email(SANNE), Role::Member, at).await;
    invited.expect("an invitation")
}

async fn accept(fixture: &TestStore, token: &LinkToken, at: DateTime<Utc>) -> Acceptance {
    let links = fixture.store.invitations();
    let accepted = links.accept(token, SANNES_FORM, client(HOME), at).await;
    accepted.expect("an outcome")
}

async fn state(fixture: &TestStore, token: &LinkToken, at: DateTime<Utc>) -> LinkState {
    let links = fixture.store.invitations();
    let state = links.open(token, client(HOME), at).await;
    state.expect("a state")
}

#[tokio::test]
async fn p17_an_invitation_creates_one_user_and_is_stored_as_a_digest() {
    on_every_database(async |fixture| {
        let (_, scope) = with_mira(fixture).await;
        let link = invite(fixture, &scope, fixture.now).await;
        assert_eq!(link.expires_at, fixture.now + TimeDelta::hours(72));
        let stored = one_text(
            fixture,
            "SELECT email || purpose || role || author_name || author_kind FROM one_time_links",
        )
        .await;
        assert!(!stored.contains(link.token.expose()));
        assert!(!format!("{link:?}").contains(link.token.expose()));
        let events = one_text(
            fixture,
            "SELECT changes FROM audit_events WHERE action = 'user.invited'",
        )
        .await;
        assert!(!events.contains(link.token.expose()), "{events}");

        // Opening it does not use it up.
        for _ in 0..2 {
            let LinkState::Open(open) = state(fixture, &link.token, fixture.now).await else {
                panic!("not open");
            };
            assert_eq!((open.email.as_str(), open.role), (SANNE, Role::Member));
            assert_eq!(open.tenant.as_deref(), Some("acme"));
        }
        // Neither does a refused form.
        let links = fixture.store.invitations();
        let weak = AcceptedForm {
            name: " ",
            password: "password1234",
        };
        let refused = links
            .accept(&link.token, weak, client(HOME), fixture.now)
            .await;
        let Err(Error::Invalid(faults)) = refused else {
            panic!("{refused:?}");
        };
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["name", "password"]);

        let Acceptance::Accepted { user, purpose } =
            accept(fixture, &link.token, fixture.now).await
        else {
            panic!("not accepted");
        };
        assert_eq!(purpose, LinkPurpose::Invitation);
        assert_eq!((user.name.as_str(), user.role), ("Sanne Vos", Role::Member));
        assert_eq!(user.tenant_id, Some(scope.tenant().id));
        let signed_in = try_password(fixture, SANNE, OTHER_PASSWORD, HOME, fixture.now).await;
        assert!(signed_in.signed_in());

        let again = accept(fixture, &link.token, fixture.now).await;
        assert_eq!(again, Acceptance::Ended(LinkEnd::Used));
        let taken = fixture.store.tenant_users(&scope);
        let taken = taken.invite(&email(SANNE), Role::Member, fixture.now).await;
        assert!(matches!(
            taken,
            Err(Error::UserRule(UserRule::AddressTaken))
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p17_fifty_parallel_uses_of_one_invitation_create_exactly_one_user() {
    on_every_database(async |fixture| {
        let (_, scope) = with_mira(fixture).await;
        let link = invite(fixture, &scope, fixture.now).await;
        let mut uses = JoinSet::new();
        for _ in 0..50 {
            let (store, now, token) = (fixture.store.clone(), fixture.now, link.token.clone());
            uses.spawn(async move {
                let links = store.invitations();
                links.accept(&token, SANNES_FORM, client(HOME), now).await
            });
        }
        let mut accepted = 0;
        for used in uses.join_all().await {
            match used {
                Ok(Acceptance::Accepted { .. }) => accepted += 1,
                Ok(Acceptance::Ended(LinkEnd::Used)) => {}
                // Refused as busy; nothing was changed.
                Err(Error::Unavailable(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(accepted, 1);
        let users = format!("SELECT count(*) FROM users WHERE email = '{SANNE}'");
        assert_eq!(number(fixture, &users).await, 1);
        let created = "SELECT count(*) FROM audit_events WHERE action = 'user.created'";
        assert_eq!(number(fixture, created).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_invitation_ends_for_good_for_each_reason_and_the_refusal_is_audited_once() {
    on_every_database(async |fixture| {
        let (mira, scope) = with_mira(fixture).await;
        let cli = fixture.store.as_cli();
        let tenants = fixture.store.tenants(&cli);
        let users = fixture.store.users(&cli);
        let now = fixture.now;

        let replaced = invite(fixture, &scope, now).await;
        let suspended = invite(fixture, &scope, now).await;
        tenants.suspend("acme", now).await.unwrap();
        let refused = fixture.store.tenant_users(&scope);
        let refused = refused.invite(&email(SANNE), Role::Member, now).await;
        assert!(matches!(
            refused,
            Err(Error::UserRule(UserRule::TenantSuspended))
        ));
        tenants.resume("acme", now).await.unwrap();
        let by_demoted = invite(fixture, &scope, now).await;
        for role in [Role::Member, Role::TenantAdmin] {
            let change = UserChange::SetRole(role);
            users.change(&mira.email, change, now).await.unwrap();
        }
        let by_disabled = invite(fixture, &scope, now).await;
        for change in [UserChange::Disable, UserChange::Enable] {
            users.change(&mira.email, change, now).await.unwrap();
        }
        let withdrawn = invite(fixture, &scope, now).await;
        let tenant_users = fixture.store.tenant_users(&scope);
        let listed = tenant_users
            .people(&PeopleQuery::default(), now)
            .await
            .unwrap();
        let invited = listed
            .page
            .items
            .iter()
            .find(|person| person.email == email(SANNE));
        tenant_users
            .withdraw(invited.unwrap().id, now)
            .await
            .unwrap();
        let expired = invite(fixture, &scope, now).await;

        let late = now + TimeDelta::hours(72);
        for (link, end) in [
            (&replaced, LinkEnd::Replaced),
            (&suspended, LinkEnd::TenantSuspended),
            (&by_demoted, LinkEnd::AuthorLostRole),
            (&by_disabled, LinkEnd::AuthorLostRole),
            (&withdrawn, LinkEnd::Withdrawn),
            (&expired, LinkEnd::Expired),
        ] {
            let outcome = accept(fixture, &link.token, late).await;
            assert_eq!(outcome, Acceptance::Ended(end));
            assert_eq!(
                state(fixture, &link.token, late).await,
                LinkState::Ended(end)
            );
        }
        let audited = "SELECT count(*) FROM audit_events WHERE action = 'user.link_refused'";
        assert_eq!(number(fixture, audited).await, 6, "one for each link");
        let later = late + TimeDelta::hours(1);
        accept(fixture, &expired.token, later).await;
        assert_eq!(number(fixture, audited).await, 7, "again after an hour");
        let joined = format!("SELECT count(*) FROM users WHERE email = '{SANNE}'");
        assert_eq!(number(fixture, &joined).await, 0);

        let in_time = invite(fixture, &scope, later).await;
        let last = later + TimeDelta::hours(72) - TimeDelta::microseconds(1);
        let accepted = accept(fixture, &in_time.token, last).await;
        assert!(matches!(accepted, Acceptance::Accepted { .. }));
        let unknown = LinkToken::parse(&"A".repeat(43)).unwrap();
        assert_eq!(accept(fixture, &unknown, last).await, Acceptance::Unknown);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_cannot_end_the_invitation_of_another_one_and_the_first_use_wins() {
    on_every_database(async |fixture| {
        let (_, acme) = with_mira(fixture).await;
        let globex = fixture.tenant("globex").await;
        let first = invite(fixture, &acme, fixture.now).await;
        let second = invite(fixture, &globex, fixture.now).await;
        assert!(matches!(
            state(fixture, &first.token, fixture.now).await,
            LinkState::Open(_)
        ));
        let accepted = accept(fixture, &second.token, fixture.now).await;
        assert!(matches!(accepted, Acceptance::Accepted { .. }));
        let outcome = accept(fixture, &first.token, fixture.now).await;
        assert_eq!(outcome, Acceptance::Ended(LinkEnd::AddressTaken));
        // A user who was created at the command line ends invitations as well.
        let again = fixture.store.tenant_users(&acme);
        let joe = email("joe@acme.example");
        let link = again.invite(&joe, Role::Member, fixture.now).await.unwrap();
        add_user(fixture, joe.as_str(), Role::Member, Some("globex")).await;
        let outcome = accept(fixture, &link.token, fixture.now).await;
        assert_eq!(outcome, Acceptance::Ended(LinkEnd::AddressTaken));
    })
    .await;
}

#[tokio::test]
async fn p12_a_link_sets_a_new_password_once_and_ends_every_session() {
    on_every_database(async |fixture| {
        let mira = add_mira(fixture).await;
        let joe = insert_user(fixture, "joe@acme.example", Role::TenantAdmin).await;
        let scope = scope_of(fixture, &joe).await;
        let users = fixture.store.tenant_users(&scope);
        let token = try_password(fixture, MIRA, PASSWORD, HOME, fixture.now)
            .await
            .tokens()
            .1;
        let own = users.invite_again(joe.id.as_uuid(), fixture.now).await;
        assert!(matches!(own, Err(Error::UserRule(UserRule::OwnAccount))));
        let id = mira.id.as_uuid();
        let earlier = users.invite_again(id, fixture.now).await.unwrap();
        let link = users.invite_again(id, fixture.now).await.unwrap();
        assert_eq!(link.purpose, LinkPurpose::NewPassword);
        let outcome = accept(fixture, &earlier.token, fixture.now).await;
        assert_eq!(outcome, Acceptance::Ended(LinkEnd::Replaced));
        let still = try_password(fixture, MIRA, PASSWORD, HOME, fixture.now).await;
        assert!(
            still.signed_in(),
            "the password is valid until the link is used"
        );

        let outcome = accept(fixture, &link.token, fixture.now).await;
        let Acceptance::Accepted { user, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((user.id, user.name), (mira.id, mira.name), "the name stays");
        let sessions = fixture.store.sessions();
        let session = sessions
            .authenticate(&token, client(HOME), fixture.now)
            .await;
        assert!(session.unwrap().is_none());
        let old = try_password(fixture, MIRA, PASSWORD, HOME, fixture.now).await;
        assert!(old.refused());
        let new = try_password(fixture, MIRA, OTHER_PASSWORD, HOME, fixture.now).await;
        assert!(new.signed_in());
        let outcome = accept(fixture, &link.token, fixture.now).await;
        assert_eq!(outcome, Acceptance::Ended(LinkEnd::Used));

        // A disabled user gets no link, and an open one ends.
        let link = users.invite_again(id, fixture.now).await.unwrap();
        users
            .change(mira.id, UserChange::Disable, fixture.now)
            .await
            .unwrap();
        let refused = users.invite_again(id, fixture.now).await;
        assert!(matches!(
            refused,
            Err(Error::UserRule(UserRule::UserDisabled))
        ));
        let outcome = accept(fixture, &link.token, fixture.now).await;
        assert_eq!(outcome, Acceptance::Ended(LinkEnd::Withdrawn));
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_link_signs_a_super_user_in_once_within_15_minutes() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let otis = email("otis@latchkey.example");
        add_user(fixture, otis.as_str(), Role::SuperUser, None).await;
        let cli = fixture.store.as_cli();
        let users = fixture.store.users(&cli);
        let refused = users.sign_in_link(&email(MIRA), fixture.now).await;
        assert!(matches!(
            refused,
            Err(Error::UserRule(UserRule::NotASuperUser))
        ));
        let links = fixture.store.invitations();
        let sign_in = async |token: &LinkToken, at: DateTime<Utc>| {
            let browser = LinkBrowser {
                client: client(HOME),
                browser: Browser::default(),
                device: None,
                previous: None,
            };
            let outcome = links.sign_in(token, browser, at).await;
            outcome.expect("an outcome")
        };
        let late = users.sign_in_link(&otis, fixture.now).await.unwrap();
        let outcome = sign_in(&late.token, fixture.now + TimeDelta::minutes(15)).await;
        assert!(matches!(outcome, LinkSignIn::Ended(LinkEnd::Expired)));
        let link = users.sign_in_link(&otis, fixture.now).await.unwrap();
        assert_eq!(
            accept(fixture, &link.token, fixture.now).await,
            Acceptance::Unknown,
            "it sets no password"
        );
        let LinkSignIn::SignedIn { user, session, .. } = sign_in(&link.token, fixture.now).await
        else {
            panic!("not signed in");
        };
        assert_eq!(user.email, otis);
        let sessions = fixture.store.sessions();
        let found = sessions
            .authenticate(&session, client(HOME), fixture.now)
            .await;
        assert_eq!(found.unwrap().unwrap().user.email, otis);
        let again = sign_in(&link.token, fixture.now).await;
        assert!(matches!(again, LinkSignIn::Ended(LinkEnd::Used)));
    })
    .await;
}

#[tokio::test]
async fn the_command_line_invites_super_users_and_resets_a_user_of_the_same_role() {
    on_every_database(async |fixture| {
        add_mira(fixture).await;
        let cli = fixture.store.as_cli();
        let users = fixture.store.users(&cli);
        let invite = async |address: &str, role, tenant| {
            let address = email(address);
            let invited = users.invite(&address, role, tenant, fixture.now).await;
            invited.map(|link| link.purpose)
        };
        let purpose = invite("ada@latchkey.example", Role::SuperUser, None).await;
        assert_eq!(purpose.unwrap(), LinkPurpose::Invitation);
        let purpose = invite(MIRA, Role::TenantAdmin, Some("acme")).await;
        assert_eq!(purpose.unwrap(), LinkPurpose::NewPassword);
        let taken = invite(MIRA, Role::Member, Some("acme")).await;
        assert!(matches!(
            taken,
            Err(Error::UserRule(UserRule::AddressTaken))
        ));
        for (role, tenant) in [(Role::SuperUser, Some("acme")), (Role::Member, None)] {
            let refused = invite("x@acme.example", role, tenant).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{role:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn p26_people_are_listed_by_address_in_pages_of_the_own_tenant() {
    on_every_database(async |fixture| {
        let (_, acme) = with_mira(fixture).await;
        let globex = fixture.tenant("globex").await;
        let users = fixture.store.tenant_users(&acme);
        for index in 0..30 {
            let address = format!("person{index:02}@acme.example");
            if index % 3 == 0 {
                let address = email(&address);
                let invited = users.invite(&address, Role::Member, fixture.now);
                invited.await.unwrap();
            } else {
                insert_user(fixture, &address, Role::Member).await;
            }
        }
        invite(fixture, &globex, fixture.now).await;
        let list = async |query: &PeopleQuery| {
            let people = users.people(query, fixture.now).await.unwrap();
            assert_eq!((people.users, people.administrators), (21, 1));
            people.page
        };
        let first = list(&PeopleQuery::default()).await;
        assert_eq!((first.items.len(), &first.previous_cursor), (25, &None));
        let second = list(&PeopleQuery {
            cursor: first.next_cursor.clone(),
            ..PeopleQuery::default()
        })
        .await;
        assert_eq!((second.items.len(), &second.next_cursor), (6, &None));
        let all: Vec<_> = (first.items.iter().chain(&second.items))
            .map(|person| person.email.to_string())
            .collect();
        assert!(
            all.is_sorted() && !all.contains(&SANNE.to_owned()),
            "{all:?}"
        );
        let back = list(&PeopleQuery {
            cursor: second.previous_cursor.clone(),
            ..PeopleQuery::default()
        })
        .await;
        assert_eq!(back.items, first.items);
        for (state, expected) in [
            (PersonState::Invited, 10),
            (PersonState::Active, 21),
            (PersonState::Disabled, 0),
        ] {
            let page = list(&PeopleQuery {
                state: Some(state),
                limit: 100,
                ..PeopleQuery::default()
            })
            .await;
            assert_eq!(page.items.len(), expected, "{state:?}");
        }
        for (search, expected) in [("SON03", 1), ("somebody", 21), ("%", 0), ("a\0", 0)] {
            let page = list(&PeopleQuery {
                search: search.to_owned(),
                limit: 100,
                ..PeopleQuery::default()
            })
            .await;
            assert_eq!(page.items.len(), expected, "{search}");
        }
        let of_globex = fixture.store.tenant_users(&globex);
        let foreign = of_globex
            .people(
                &PeopleQuery {
                    cursor: first.next_cursor,
                    ..PeopleQuery::default()
                },
                fixture.now,
            )
            .await
            .unwrap();
        let emails: Vec<_> = (foreign.page.items.iter())
            .map(|person| person.email.as_str())
            .collect();
        assert_eq!(emails, [SANNE]);
    })
    .await;
}
