//! `GET /sign-in/sso` sends the browser to the provider, `GET /sign-in/sso/callback` signs in. Both work without a script.
//!
//! Every failure is a redirect to the sign-in page with a word for the reason, so that no page is shown under a URL with a code and a state.

use app::{
    sign_in::SsoFailure,
    urls::{self, SIGN_IN, after_sign_in, with_parameters},
};
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    client_address::ClientAddress,
    log_limit::{DATABASE_UNAVAILABLE, FAULT_LINES, LogLimit},
    store::single_sign_on::{Begin, Redeemed, SsoBrowser, SsoOutcome, SsoRefusal},
    text::is_plain_line,
};
use http::{HeaderMap, Method, header};
use tracing::Level;
use url::form_urlencoded;

use super::{render::render_not_found, sign_in::local_target};
use crate::{
    client, clock,
    cookies::{Cookie, Cookies},
    csrf,
    single_sign_on::{SingleSignOn, SsoError},
    state::AppState,
    urlencoded::is_given_twice,
};

/// The longest code, in bytes.
const LONGEST_CODE: usize = 4_096;
/// The longest path to return to, in bytes.
const LONGEST_RETURN: usize = 2_000;

static REFUSED: LogLimit = LogLimit::new("refused single sign-ons", Level::WARN, FAULT_LINES);
static FAILED: LogLimit = LogLimit::new("failed single sign-ons", Level::WARN, FAULT_LINES);

/// Begins a sign-in and redirects to the provider.
pub(crate) async fn begin(State(state): State<AppState>, request: Request) -> Response {
    let Some(provider) = &state.single_sign_on else {
        return render_not_found(&state, request).await;
    };
    let query = request.uri().query().unwrap_or_default();
    let return_to = parameter(query, "return_to").filter(|path| path.len() <= LONGEST_RETURN);
    let return_to = return_to.as_deref().and_then(local_target);
    // A HEAD request, a prefetch or another site must not begin anything: a sign-in that begins elsewhere could replace this browser's
    // session, and the number of sign-ins that an address may begin is limited.
    if request.method() != Method::GET || !csrf::is_own_navigation(request.headers()) {
        return Redirect::to(&urls::sign_in(return_to.unwrap_or_default())).into_response();
    }
    let begin = Begin {
        return_to,
        is_fresh: parameter(query, "fresh").is_some_and(|fresh| fresh == "1"),
        client: client::address_of(request.extensions()),
    };
    let begun = state
        .store
        .single_sign_on()
        .begin(begin, clock::now())
        .await;
    let begun = match begun {
        Ok(begun) => begun,
        Err(error) => return to_sign_in(of_store(&error), return_to),
    };
    match provider.authorization_url(&begun, begin.is_fresh).await {
        Ok(url) => {
            let mut response = Redirect::to(url.as_str()).into_response();
            let cookies = Cookies::new(&state.config);
            if let Some(cookie) = cookies.set(Cookie::SingleSignOn, &begun.browser) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) => {
            log_failure(provider, &error);
            to_sign_in(SsoFailure::Unavailable, return_to)
        }
    }
}

/// Ends a sign-in: opens a session, or redirects to the sign-in page with the reason.
pub(crate) async fn callback(State(state): State<AppState>, request: Request) -> Response {
    let Some(provider) = &state.single_sign_on else {
        return render_not_found(&state, request).await;
    };
    // A HEAD request must not use the state.
    if request.method() != Method::GET {
        return Redirect::to(SIGN_IN).into_response();
    }
    let callback = Callback {
        state: &state,
        provider,
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
        client: client::address_of(request.extensions()),
    };
    let redeemed = match callback.redeem().await {
        Ok(redeemed) => redeemed,
        Err(failure) => return to_sign_in(failure, None),
    };
    let return_to = redeemed.return_to.as_deref().and_then(local_target);
    let cookies = Cookies::new(&state.config);
    let (mut response, set) = match callback.sign_in(&redeemed).await {
        Ok(SsoOutcome::SignedIn {
            user,
            session,
            device,
        }) => {
            let target = after_sign_in(return_to, user.role);
            let set = [
                cookies.set(Cookie::Session, &session),
                cookies.set(Cookie::Device, &device),
            ];
            (Redirect::to(target).into_response(), set)
        }
        Ok(SsoOutcome::Refused(refusal)) => {
            (to_sign_in(of_refusal(&refusal), return_to), [None, None])
        }
        Err(failure) => (to_sign_in(failure, return_to), [None, None]),
    };
    let used = cookies.clear(Cookie::SingleSignOn);
    for cookie in set.into_iter().flatten().chain(used) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The first value of a parameter.
fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

/// A request of the browser that comes back from the provider.
struct Callback<'a> {
    state: &'a AppState,
    provider: &'a SingleSignOn,
    query: &'a str,
    headers: &'a HeaderMap,
    client: ClientAddress,
}

impl Callback<'_> {
    /// Uses the state, before anything is sent to the provider.
    async fn redeem(&self) -> Result<Redeemed, SsoFailure> {
        let is_ambiguous = ["state", "code", "error", "iss"]
            .iter()
            .any(|name| is_given_twice(self.query, name));
        let state = match parameter(self.query, "state") {
            Some(state) if !is_ambiguous => state,
            _ => String::new(),
        };
        let browser = Cookies::new(&self.state.config).token(Cookie::SingleSignOn, self.headers);
        let store = self.state.store.single_sign_on();
        let redeemed = store.redeem(&state, browser.as_ref(), clock::now()).await;
        match redeemed {
            Ok(Ok(redeemed)) => Ok(redeemed),
            Ok(Err(fault)) => {
                self.refuse(&fault.to_string()).await;
                Err(SsoFailure::Over)
            }
            Err(error) => Err(of_store(&error)),
        }
    }

    /// Exchanges the code and signs the person in.
    async fn sign_in(&self, redeemed: &Redeemed) -> Result<SsoOutcome, SsoFailure> {
        let settings = self.provider.settings();
        // RFC 9207: the response of another provider.
        if parameter(self.query, "iss").is_some_and(|issuer| issuer != *settings.issuer) {
            self.refuse("the response names another issuer").await;
            return Err(SsoFailure::Refused);
        }
        if let Some(error) = parameter(self.query, "error") {
            let is_code = error.len() <= 64 && is_plain_line(&error) && !error.contains(' ');
            let code = if is_code { error.as_str() } else { "an error" };
            self.refuse(&format!("the provider responds {code}")).await;
            return Err(SsoFailure::Cancelled);
        }
        let code = parameter(self.query, "code")
            .filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE);
        let Some(code) = code else {
            self.refuse("the response contains no code").await;
            return Err(SsoFailure::Refused);
        };
        let person = match self.provider.person(&code, redeemed, clock::now()).await {
            Ok(person) => person,
            Err(error @ SsoError::Unavailable(_)) => {
                log_failure(self.provider, &error);
                return Err(SsoFailure::Unavailable);
            }
            Err(error @ SsoError::TokenRefused(_)) => {
                self.refuse(&error.to_string()).await;
                return Err(SsoFailure::Refused);
            }
        };
        let cookies = Cookies::new(&self.state.config);
        let device = cookies.token(Cookie::Device, self.headers);
        let previous = cookies.token(Cookie::Session, self.headers);
        let store = self.state.store.single_sign_on();
        let browser = SsoBrowser {
            kind: client::browser_of(self.headers),
            device: device.as_ref(),
            previous: previous.as_ref(),
        };
        let outcome = store
            .sign_in(&person, &settings.rules, self.client, browser, clock::now())
            .await;
        let outcome = outcome.map_err(|error| of_store(&error))?;
        if let SsoOutcome::Refused(refusal) = &outcome
            && REFUSED.admits_line()
        {
            tracing::warn!(
                reason = %refusal,
                issuer = person.issuer,
                subject = person.subject,
                "single sign-on refused"
            );
        }
        Ok(outcome)
    }

    /// Logs and audits a sign-in that was refused before the person was known.
    async fn refuse(&self, reason: &str) {
        if REFUSED.admits_line() {
            tracing::warn!(reason, "single sign-on refused");
        }
        let store = self.state.store.single_sign_on();
        if let Err(error) = store.refuse(reason, self.client, clock::now()).await {
            tracing::warn!(
                error = &error as &(dyn std::error::Error + 'static),
                "refused single sign-on not audited: database unavailable"
            );
        }
    }
}

fn log_failure(provider: &SingleSignOn, error: &SsoError) {
    if FAILED.admits_line() {
        tracing::warn!(
            %error,
            issuer = %provider.settings().issuer,
            "single sign-on failed"
        );
    }
}

/// What the person is told of an error of the store.
fn of_store(error: &domain::Error) -> SsoFailure {
    match error {
        domain::Error::Throttled { .. } => SsoFailure::Throttled,
        domain::Error::Unavailable(source) | domain::Error::OutcomeUnknown(source) => {
            if DATABASE_UNAVAILABLE.admits_line() {
                tracing::warn!(error = %source, "single sign-on failed: database unavailable");
            }
            SsoFailure::Database
        }
        error => {
            tracing::error!(%error, source = ?std::error::Error::source(error), "single sign-on failed");
            SsoFailure::Database
        }
    }
}

/// What the person is told of a refusal. The log has the reason in full.
const fn of_refusal(refusal: &SsoRefusal) -> SsoFailure {
    match refusal {
        SsoRefusal::UserDisabled => SsoFailure::UserDisabled,
        SsoRefusal::TenantSuspended => SsoFailure::TenantSuspended,
        SsoRefusal::LastAdministrator => SsoFailure::LastAdministrator,
        SsoRefusal::EmailNotVerified
        | SsoRefusal::DomainNotAllowed
        | SsoRefusal::SuperUser
        | SsoRefusal::LinkedToOther
        | SsoRefusal::NoUser { .. }
        | SsoRefusal::OtherTenant
        | SsoRefusal::NoRole => SsoFailure::NoAccount,
    }
}

/// Redirects to the sign-in page, which shows the reason.
fn to_sign_in(failure: SsoFailure, return_to: Option<&str>) -> Response {
    let parameters = [
        (SsoFailure::PARAMETER, failure.as_str()),
        ("return_to", return_to.unwrap_or_default()),
    ];
    Redirect::to(&with_parameters(SIGN_IN, &parameters)).into_response()
}
