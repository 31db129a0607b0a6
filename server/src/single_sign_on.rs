//! Single sign-on with OpenID Connect: authorization code flow with PKCE, state and nonce.
//!
//! | question | file |
//! | --- | --- |
//! | How is a request sent to the provider? | `http.rs` |
//! | Which endpoints and keys does the provider have? | `provider.rs` |
//! | Is a token valid? | `token.rs` |
//! | Which person do the claims name? | `claims.rs` |
//!
//! Who may sign in is decided in `domain::store::single_sign_on`. Errors and log lines contain no code, state or token.

mod claims;
mod http;
mod provider;
mod token;

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use domain::store::single_sign_on::{Begun, Redeemed, SsoPerson};
use openidconnect::{
    AuthenticationFlow, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, Scope,
    core::CoreResponseType,
};
use tokio::sync::Semaphore;
use url::Url;

use crate::config::{Config, SsoSettings};
use provider::Provider;

/// Sign-ins whose code is exchanged at a time. Further ones wait.
const EXCHANGES: usize = 32;
/// The longest wait for an exchange to begin.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit on the exchange of a code with all of its requests, below that of a response.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(15);

/// The reason for which the provider did not name a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SsoError {
    /// The provider cannot be reached, is too slow, or responds with an error.
    #[error("the provider is unavailable: {0}")]
    Unavailable(String),
    /// The provider's token is not valid.
    #[error("the token is refused: {0}")]
    TokenRefused(String),
}

/// The provider of single sign-on.
#[derive(Debug)]
pub struct SingleSignOn {
    settings: SsoSettings,
    provider: Provider,
    exchanges: Semaphore,
}

impl SingleSignOn {
    /// Reads the settings; `None` without single sign-on. Sends no request: the provider may be down when the server starts.
    #[must_use]
    pub fn from_config(config: &Config) -> Option<Self> {
        let settings = config.single_sign_on()?;
        Some(Self {
            provider: Provider::new(settings.clone()),
            settings,
            exchanges: Semaphore::new(EXCHANGES),
        })
    }

    /// The settings.
    pub(crate) const fn settings(&self) -> &SsoSettings {
        &self.settings
    }

    /// The URL at the provider to which the browser is sent.
    pub(crate) async fn authorization_url(
        &self,
        begun: &Begun,
        is_fresh: bool,
    ) -> Result<Url, SsoError> {
        let client = self.provider.client().await?;
        let nonce = Nonce::new(begun.nonce().expose().to_owned());
        let state = CsrfToken::new(begun.state.expose().to_owned());
        let verifier = PkceCodeVerifier::new(begun.pkce_verifier().expose().to_owned());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || state,
                || nonce,
            )
            .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if is_fresh {
            request = request.set_max_age(Duration::ZERO);
        }
        let (url, _, _) = request.url();
        Ok(url)
    }

    /// Exchanges the code of a callback for the person's claims.
    pub(crate) async fn person(
        &self,
        code: &str,
        redeemed: &Redeemed,
        now: DateTime<Utc>,
    ) -> Result<SsoPerson, SsoError> {
        let turn = tokio::time::timeout(QUEUE_TIMEOUT, self.exchanges.acquire());
        let Ok(Ok(_turn)) = turn.await else {
            return Err(SsoError::Unavailable(
                "too many sign-ins wait for it".to_owned(),
            ));
        };
        let exchange = token::exchange(&self.provider, &self.settings, code, redeemed, now);
        let done = tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await;
        done.unwrap_or_else(|_| {
            let problem = "it took too long to exchange a code".to_owned();
            Err(SsoError::Unavailable(problem))
        })
    }
}

/// An error and its causes in one line. Used only for errors whose texts contain no response.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    use fmt::Write as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
