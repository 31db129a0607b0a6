//! The forms of the second factor: set-up, turning it off, new recovery codes.

use app::{
    done::Done,
    second_factor::{Refused, SecondFactorStep},
    ssr::status_of,
    urls::{self, TenantQuery},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::{
    session::{Authentication, SessionToken},
    store::{
        second_factor::own::{Confirmation, Proof, ProofRefusal},
        sessions::SignedIn,
    },
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{
    submitted_form::SubmittedForm,
    wait::{BUSY, in_words, whole_seconds},
};
use crate::{
    client, clock,
    cookies::{Cookie, Cookies},
    state::AppState,
};

/// A form that asks for the password. No `Debug`: it contains it. A user of single sign-on sends none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofForm {
    /// Only for the browser's password manager; the session determines the user.
    #[serde(rename = "username")]
    _username: Option<String>,
    #[serde(default)]
    password: String,
}

/// No `Debug`: it contains a code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeForm {
    code: String,
}

/// `POST /account/second-factor`: begins the set-up and shows the seed.
pub(crate) async fn start(State(state): State<AppState>, request: Request) -> Response {
    let received = SubmittedForm::receive_own::<ProofForm>(&state, request).await;
    let (submitted, user, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let device = submitted.device();
    let Some(proof) = proof_of(&user, &form, device.as_ref()) else {
        return submitted.no_password(urls::SECOND_FACTOR).await;
    };
    let own = state.store.own_second_factor(&user);
    match own.start(proof, clock::now()).await {
        Ok(Ok(set_up)) => {
            let step = SecondFactorStep::Code(set_up, None);
            submitted
                .show(urls::SECOND_FACTOR, StatusCode::OK, step)
                .await
        }
        Ok(Err(refusal)) => submitted.refuse(urls::SECOND_FACTOR, refusal).await,
        Err(error) => submitted.fail_at(urls::SECOND_FACTOR, error).await,
    }
}

/// `POST /account/second-factor/confirm`: turns the second factor on and shows the recovery codes.
pub(crate) async fn confirm(State(state): State<AppState>, request: Request) -> Response {
    let received = SubmittedForm::receive_own::<CodeForm>(&state, request).await;
    let (submitted, user, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let browser = client::browser_of(&submitted.parts.headers);
    let own = state.store.own_second_factor(&user);
    let Some(token) = submitted.context.session.clone() else {
        return submitted.no_password(urls::SECOND_FACTOR).await;
    };
    let confirmed = own.confirm(&form.code, &token, browser, clock::now()).await;
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    match confirmed {
        Ok(Confirmation::Enabled {
            recovery_codes,
            session,
        }) => {
            let step = SecondFactorStep::Codes(recovery_codes);
            let cookie = Cookies::new(&state.config).set(Cookie::Session, &session);
            // The page is rendered for the new session: the previous one has ended.
            let submitted = submitted.in_session(&session);
            let mut response = submitted
                .show(urls::SECOND_FACTOR, StatusCode::OK, step)
                .await;
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Ok(Confirmation::WrongCode) => match own.started(clock::now()).await {
            Ok(Some(set_up)) => {
                let error =
                    "This code is wrong or no longer valid. Enter the one that the app shows now.";
                let step = SecondFactorStep::Code(set_up, Some(error.to_owned()));
                submitted
                    .show(urls::SECOND_FACTOR, unprocessable, step)
                    .await
            }
            Ok(None) => submitted.too_late().await,
            Err(error) => submitted.fail_at(urls::SECOND_FACTOR, error).await,
        },
        Ok(Confirmation::NotStarted) => submitted.too_late().await,
        Err(error) => submitted.fail_at(urls::SECOND_FACTOR, error).await,
    }
}

/// `POST /account/second-factor/disable`
pub(crate) async fn disable(State(state): State<AppState>, request: Request) -> Response {
    const HERE: &str = urls::DISABLE_SECOND_FACTOR;
    let received = SubmittedForm::receive_own::<ProofForm>(&state, request).await;
    let (submitted, user, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let device = submitted.device();
    let Some(proof) = proof_of(&user, &form, device.as_ref()) else {
        return submitted.no_password(HERE).await;
    };
    let own = state.store.own_second_factor(&user);
    match own.disable(proof, clock::now()).await {
        Ok(Ok(())) => submitted.back_to_account(Done::SecondFactorDisabled),
        Ok(Err(refusal)) => submitted.refuse(HERE, refusal).await,
        Err(error) => submitted.fail_at(HERE, error).await,
    }
}

/// `POST /account/second-factor/recovery-codes`
pub(crate) async fn new_recovery_codes(
    State(state): State<AppState>,
    request: Request,
) -> Response {
    const HERE: &str = urls::NEW_RECOVERY_CODES;
    let received = SubmittedForm::receive_own::<ProofForm>(&state, request).await;
    let (submitted, user, form) = match received {
        Ok(received) => received,
        Err(response) => return response,
    };
    let device = submitted.device();
    let Some(proof) = proof_of(&user, &form, device.as_ref()) else {
        return submitted.no_password(HERE).await;
    };
    let own = state.store.own_second_factor(&user);
    match own.new_recovery_codes(proof, clock::now()).await {
        Ok(Ok(codes)) => {
            let step = SecondFactorStep::Codes(codes);
            submitted.show(HERE, StatusCode::OK, step).await
        }
        Ok(Err(refusal)) => submitted.refuse(HERE, refusal).await,
        Err(error) => submitted.fail_at(HERE, error).await,
    }
}

/// The proof in the form. `None` if the password is empty, which is not an attempt.
fn proof_of<'a>(
    user: &SignedIn,
    form: &'a ProofForm,
    device: Option<&'a SessionToken>,
) -> Option<Proof<'a>> {
    if user.session.authentication == Authentication::SingleSignOn {
        return Some(Proof::FreshSingleSignOn);
    }
    (!form.password.is_empty()).then_some(Proof::Password {
        password: &form.password,
        device,
    })
}

impl SubmittedForm {
    fn device(&self) -> Option<SessionToken> {
        Cookies::new(&self.state.config).token(Cookie::Device, &self.parts.headers)
    }

    /// The form of another session token.
    fn in_session(mut self, session: &SessionToken) -> Self {
        let name = Cookie::Session.name(Cookies::new(&self.state.config).is_https());
        let cookie = HeaderValue::from_str(&format!("{name}={}", session.expose()));
        if let Ok(mut cookie) = cookie {
            cookie.set_sensitive(true);
            self.parts.headers.insert(header::COOKIE, cookie);
        }
        self
    }

    /// Renders the page at `path` with the outcome.
    async fn show(self, path: &str, status: StatusCode, step: SecondFactorStep) -> Response {
        let url = TenantQuery(self.tenant.0.clone()).url(path);
        self.show_page(&url, status, step).await
    }

    async fn no_password(self, path: &str) -> Response {
        let refused = Refused {
            password: Some("Enter your password.".to_owned()),
            ..Refused::default()
        };
        let step = SecondFactorStep::Refused(refused);
        self.show(path, StatusCode::UNPROCESSABLE_ENTITY, step)
            .await
    }

    async fn too_late(self) -> Response {
        let refused = Refused {
            form: Some("The set-up took longer than 10 minutes. Start again.".to_owned()),
            ..Refused::default()
        };
        let step = SecondFactorStep::Refused(refused);
        self.show(urls::SECOND_FACTOR, StatusCode::CONFLICT, step)
            .await
    }

    async fn refuse(self, path: &str, refusal: ProofRefusal) -> Response {
        let form = |message: String| Refused {
            form: Some(message),
            ..Refused::default()
        };
        let (status, refused, retry_after) = match refusal {
            ProofRefusal::WrongPassword => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Refused {
                    password: Some("The password is wrong.".to_owned()),
                    ..Refused::default()
                },
                None,
            ),
            ProofRefusal::Throttled { retry_after } => (
                StatusCode::TOO_MANY_REQUESTS,
                form(format!("Too many attempts. Try again in {}.", in_words(retry_after))),
                Some(whole_seconds(retry_after)),
            ),
            ProofRefusal::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                form(BUSY.to_owned()),
                Some(2),
            ),
            ProofRefusal::SignInAgain => (
                StatusCode::UNPROCESSABLE_ENTITY,
                form("Your sign-in was more than 10 minutes ago. Sign out, sign in again, and repeat this.".to_owned()),
                None,
            ),
        };
        let step = SecondFactorStep::Refused(refused);
        let mut response = self.show(path, status, step).await;
        if let Some(seconds) = retry_after {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }

    async fn fail_at(self, path: &str, error: domain::Error) -> Response {
        let error = self.error(error);
        let status = status_of(error.code);
        let refused = Refused {
            form: Some(error.message),
            ..Refused::default()
        };
        let step = SecondFactorStep::Refused(refused);
        self.show(path, status, step).await
    }
}
