//! The provider's endpoints and keys, from its discovery document. Kept in memory for an hour: one document and one key set, whose size the
//! limit on a response bounds.
//!
//! No lock is held while a request runs: one task fetches, and sign-ins that need the result wait for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use openidconnect::{
    AuthType, ClientId, ClientSecret, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IdTokenFields, IssuerUrl, RedirectUrl, StandardErrorResponse,
    StandardTokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType,
        CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use tokio::sync::watch;

use super::{
    SsoError,
    claims::AllClaims,
    http::{ProviderHttp, is_secure},
    with_causes,
};
use crate::config::SsoSettings;

/// The time for which endpoints and keys are used.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// The shortest time between two refreshes because of tokens with an unknown key, so that forged tokens cannot cause a flood of requests.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);
/// The time for which a failure is returned without another request.
const FAILURE_LIFETIME: Duration = Duration::from_secs(2);

type Fields = IdTokenFields<
    AllClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// The response of the token endpoint.
pub(super) type TokenResponse = StandardTokenResponse<Fields, CoreTokenType>;

/// A client with the provider's endpoints and keys.
pub(super) type OidcClient = openidconnect::Client<
    AllClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    TokenResponse,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The result of a fetch.
type Fetched = Result<Arc<OidcClient>, Arc<str>>;

/// Fetches and keeps the provider's endpoints and keys.
#[derive(Debug)]
pub(super) struct Provider {
    settings: Arc<SsoSettings>,
    http: ProviderHttp,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<(Fetched, Instant)>,
    /// Receives the result of the fetch that runs.
    running: Option<watch::Receiver<Option<Fetched>>>,
    refreshed_at: Option<Instant>,
}

impl State {
    /// The last result, while it may be used.
    fn current(&self) -> Option<&Fetched> {
        let (fetched, at) = self.last.as_ref()?;
        let lifetime = match fetched {
            Ok(_) => LIFETIME,
            Err(_) => FAILURE_LIFETIME,
        };
        (at.elapsed() < lifetime).then_some(fetched)
    }
}

impl Provider {
    pub(super) fn new(settings: SsoSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            http: ProviderHttp::new(),
            state: Arc::default(),
        }
    }

    pub(super) const fn http(&self) -> &ProviderHttp {
        &self.http
    }

    /// A client with the present endpoints and keys.
    pub(super) async fn client(&self) -> Result<Arc<OidcClient>, SsoError> {
        let running = {
            let mut state = lock(&self.state);
            if let Some(fetched) = state.current() {
                return unavailable(fetched.clone());
            }
            self.join_fetch(&mut state)
        };
        wait(running).await
    }

    /// A client with keys that were fetched after `used` was refused; `None` if they were refreshed only just now.
    pub(super) async fn refreshed(
        &self,
        used: &Arc<OidcClient>,
    ) -> Result<Option<Arc<OidcClient>>, SsoError> {
        let running = {
            let mut state = lock(&self.state);
            // Another sign-in has refreshed them meanwhile.
            if let Some(Ok(client)) = state.current()
                && !Arc::ptr_eq(client, used)
            {
                return Ok(Some(Arc::clone(client)));
            }
            if state.running.is_none() {
                let is_recent = state
                    .refreshed_at
                    .is_some_and(|at| at.elapsed() < REFRESH_INTERVAL);
                if is_recent {
                    return Ok(None);
                }
                state.refreshed_at = Some(Instant::now());
            }
            self.join_fetch(&mut state)
        };
        wait(running).await.map(Some)
    }

    /// The fetch that runs, or a new one.
    fn join_fetch(&self, state: &mut State) -> watch::Receiver<Option<Fetched>> {
        if let Some(running) = &state.running {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(None);
        state.running = Some(receiver.clone());
        let (settings, http) = (Arc::clone(&self.settings), self.http.clone());
        let shared = Arc::clone(&self.state);
        // A task of its own, so that the others get the result if the first caller goes away.
        tokio::spawn(async move {
            let fetched = fetch(&settings, &http).await.map(Arc::new);
            let fetched = fetched.map_err(Arc::<str>::from);
            {
                let mut state = lock(&shared);
                state.last = Some((fetched.clone(), Instant::now()));
                state.running = None;
            }
            // No receiver is left if every caller went away.
            let _ = sender.send(Some(fetched));
        });
        receiver
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable(fetched: Fetched) -> Result<Arc<OidcClient>, SsoError> {
    fetched.map_err(|reason| SsoError::Unavailable(reason.to_string()))
}

/// Waits for a fetch, whose requests have a time limit.
async fn wait(mut running: watch::Receiver<Option<Fetched>>) -> Result<Arc<OidcClient>, SsoError> {
    let fetched = match running.wait_for(Option::is_some).await {
        Ok(fetched) => fetched.clone(),
        Err(_) => None,
    };
    fetched.map_or_else(
        || Err(SsoError::Unavailable("its discovery failed".to_owned())),
        unavailable,
    )
}

/// Fetches the discovery document and the keys.
async fn fetch(settings: &SsoSettings, http: &ProviderHttp) -> Result<OidcClient, String> {
    let issuer = IssuerUrl::new(settings.issuer.to_string()).map_err(|error| error.to_string())?;
    let metadata = CoreProviderMetadata::discover_async(issuer, http).await;
    let metadata = metadata.map_err(|error| {
        format!(
            "its discovery document and keys cannot be read: {}",
            with_causes(&error)
        )
    })?;
    let endpoints = [
        Some(metadata.authorization_endpoint().as_str()),
        metadata.token_endpoint().map(|url| url.as_str()),
    ];
    if let Some(endpoint) = endpoints.into_iter().flatten().find(|url| !is_secure(url)) {
        return Err(format!("its endpoint {endpoint} is not https"));
    }
    let auth_type = auth_type(&metadata);
    let client_id = ClientId::new(settings.client_id.to_string());
    let secret = settings
        .client_secret
        .as_ref()
        .map(|secret| ClientSecret::new(secret.expose().to_owned()));
    let redirect = RedirectUrl::from_url(settings.callback.clone());
    Ok(
        OidcClient::from_provider_metadata(metadata, client_id, secret)
            .set_redirect_uri(redirect)
            .set_auth_type(auth_type),
    )
}

/// The way in which the client authenticates: in the header, or in the body for a provider that accepts nothing else.
fn auth_type(metadata: &CoreProviderMetadata) -> AuthType {
    match metadata.token_endpoint_auth_methods_supported() {
        Some(methods)
            if methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic) =>
        {
            AuthType::RequestBody
        }
        _ => AuthType::BasicAuth,
    }
}
