//! Exchanges the code for an ID token and verifies it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::store::single_sign_on::{Redeemed, SsoPerson};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, IdToken, IdTokenClaims, Nonce,
    OAuth2TokenResponse as _, PkceCodeVerifier, RequestTokenError, SignatureVerificationError,
    SubjectIdentifier, TokenResponse as _, UserInfoClaims,
    core::{
        CoreGenderClaim, CoreIdTokenVerifier, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    },
};

use super::{
    SsoError,
    claims::{AllClaims, Claims},
    http::RequestError,
    provider::{OidcClient, Provider, TokenResponse},
    with_causes,
};
use crate::config::SsoSettings;

/// How far the provider's clock and this one may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);
/// The greatest age of a token: a sign-in takes at most ten minutes.
const OLDEST: TimeDelta = TimeDelta::minutes(10);
/// The longest subject, in bytes (OpenID Connect Core, section 2).
const LONGEST_SUBJECT: usize = 255;

/// The accepted signatures: all with a public key. A shared key would let everyone who has the client secret make tokens, and `none` needs
/// no key.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Token =
    IdToken<AllClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type TokenClaims = IdTokenClaims<AllClaims, CoreGenderClaim>;

fn refused(reason: impl Into<String>) -> SsoError {
    SsoError::TokenRefused(reason.into())
}

/// Exchanges the code and returns the person that the verified claims name.
pub(super) async fn exchange(
    provider: &Provider,
    settings: &SsoSettings,
    code: &str,
    redeemed: &Redeemed,
    now: DateTime<Utc>,
) -> Result<SsoPerson, SsoError> {
    let client = provider.client().await?;
    let response = exchange_code(provider, &client, code, redeemed).await?;
    let token = response
        .id_token()
        .ok_or_else(|| refused("the response contains no ID token"))?;
    let nonce = Nonce::new(redeemed.begun.nonce().expose().to_owned());
    let (client, claims) = match verify(&client, token, &nonce, now) {
        // The provider may have changed its keys.
        Err(error) if is_about_keys(&error) => match provider.refreshed(&client).await? {
            Some(client) => {
                let claims = verify(&client, token, &nonce, now);
                let claims = claims.map_err(|error| refused(with_causes(&error)))?;
                (client, claims)
            }
            None => return Err(refused(with_causes(&error))),
        },
        verified => {
            let claims = verified.map_err(|error| refused(with_causes(&error)))?;
            (client, claims)
        }
    };
    check_party(&claims, settings)?;
    check_access_token(&client, token, &claims, &response)?;
    check_freshness(&claims, redeemed)?;
    let subject = claims.subject().as_str().to_owned();
    if subject.is_empty()
        || subject.len() > LONGEST_SUBJECT
        || !domain::text::is_plain_line(&subject)
    {
        return Err(refused("the subject is empty, too long, or no plain line"));
    }
    let mut known = Claims::of_token(&claims);
    if known.is_incomplete(settings) && client.user_info_url().is_some() {
        let more = user_info(provider, &client, &response, claims.subject().clone()).await?;
        known = known.complete_from(Claims::of_user_info(&more), settings);
    }
    // A time in the future would count as recent until then.
    let authenticated_at = claims.auth_time().filter(|at| *at <= now + CLOCK_SKEW);
    Ok(known.person(settings, subject, authenticated_at))
}

async fn exchange_code(
    provider: &Provider,
    client: &OidcClient,
    code: &str,
    redeemed: &Redeemed,
) -> Result<TokenResponse, SsoError> {
    let verifier = PkceCodeVerifier::new(redeemed.begun.pkce_verifier().expose().to_owned());
    let request = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .map_err(|_| SsoError::Unavailable("it names no token endpoint".to_owned()))?
        .set_pkce_verifier(verifier);
    let response = request.request_async(provider.http()).await;
    response.map_err(|error| match error {
        RequestTokenError::Request(error) => SsoError::Unavailable(with_causes(&error)),
        // Only the code of the error: its description may repeat what was sent.
        RequestTokenError::ServerResponse(response) => refused(format!(
            "the token endpoint responds {}",
            response.error().as_ref()
        )),
        // The error's text names a place in the response, which contains tokens, but nothing of it.
        RequestTokenError::Parse(..) => refused("the response of the token endpoint is malformed"),
        RequestTokenError::Other(_) => refused("the token endpoint responds with an error"),
    })
}

/// The claims of the token, if its signature, issuer, audience, time and nonce are right.
fn verify(
    client: &OidcClient,
    token: &Token,
    nonce: &Nonce,
    now: DateTime<Utc>,
) -> Result<TokenClaims, ClaimsVerificationError> {
    let verifier = verifier(client, now);
    token.claims(&verifier, nonce).cloned()
}

fn verifier(client: &OidcClient, now: DateTime<Utc>) -> CoreIdTokenVerifier<'_> {
    client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || now - CLOCK_SKEW)
        .set_issue_time_verifier_fn(move |issued| {
            if issued > now + CLOCK_SKEW {
                Err("the token was issued in the future".to_owned())
            } else if issued < now - OLDEST - CLOCK_SKEW {
                Err("the token was issued more than 10 minutes ago".to_owned())
            } else {
                Ok(())
            }
        })
}

/// Whether other keys could make the token valid.
const fn is_about_keys(error: &ClaimsVerificationError) -> bool {
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_)
        )
    )
}

/// Refuses a token that was issued to another client.
fn check_party(claims: &TokenClaims, settings: &SsoSettings) -> Result<(), SsoError> {
    match claims.authorized_party() {
        Some(party) if **party != *settings.client_id => Err(refused(
            "the token was issued to another client (claim azp)",
        )),
        _ => Ok(()),
    }
}

/// Refuses an access token that does not belong to the ID token.
fn check_access_token(
    client: &OidcClient,
    token: &Token,
    claims: &TokenClaims,
    response: &TokenResponse,
) -> Result<(), SsoError> {
    let Some(expected) = claims.access_token_hash() else {
        return Ok(());
    };
    let verifier = client.id_token_verifier();
    let hash = token
        .signing_alg()
        .ok()
        .zip(token.signing_key(&verifier).ok());
    let hash = hash.and_then(|(algorithm, key)| {
        AccessTokenHash::from_token(response.access_token(), algorithm, key).ok()
    });
    if hash.as_ref() == Some(expected) {
        Ok(())
    } else {
        Err(refused("the access token is another one (claim at_hash)"))
    }
}

/// Refuses a person whom the provider did not authenticate anew, if it had to.
fn check_freshness(claims: &TokenClaims, redeemed: &Redeemed) -> Result<(), SsoError> {
    match (redeemed.fresh_since, claims.auth_time()) {
        (None, _) => Ok(()),
        (Some(begun), Some(at)) if at >= begun - CLOCK_SKEW => Ok(()),
        (Some(_), _) => Err(refused(
            "the person was not authenticated anew (claim auth_time)",
        )),
    }
}

async fn user_info(
    provider: &Provider,
    client: &Arc<OidcClient>,
    response: &TokenResponse,
    subject: SubjectIdentifier,
) -> Result<UserInfoClaims<AllClaims, CoreGenderClaim>, SsoError> {
    use openidconnect::UserInfoError;
    let request = client.user_info(response.access_token().clone(), Some(subject));
    let request =
        request.map_err(|_| SsoError::Unavailable("it names no userinfo endpoint".to_owned()))?;
    let claims = request.request_async(provider.http()).await;
    claims.map_err(|error: UserInfoError<RequestError>| match error {
        UserInfoError::Request(error) => SsoError::Unavailable(with_causes(&error)),
        UserInfoError::ClaimsVerification(error) => {
            refused(format!("the userinfo endpoint: {}", with_causes(&error)))
        }
        UserInfoError::Response(status, _, _) => refused(format!(
            "the userinfo endpoint responds {}",
            status.as_u16()
        )),
        _ => refused("the response of the userinfo endpoint is malformed"),
    })
}
