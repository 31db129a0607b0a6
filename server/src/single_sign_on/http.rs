//! Requests to the provider: each has a time limit and a limit on the response, and follows no redirect.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::config::single_sign_on::is_loopback;

/// The limit on one request with its response.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The limit on the body of a response, in bytes. Key sets and tokens have some thousand bytes.
const LONGEST_BODY: usize = 256 * 1024;
/// Connections that are kept open between requests.
const IDLE_CONNECTIONS: usize = 4;

/// The reason for which a request has no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The URL is neither https nor of this machine.
    #[error("{0} is not https")]
    Insecure(String),
    /// The time limit passed.
    #[error("no response within {} seconds", TIMEOUT.as_secs())]
    Timeout,
    /// The body is longer than its limit.
    #[error("the response is longer than {LONGEST_BODY} bytes, or broke off")]
    Body,
    /// The connection failed.
    #[error("{0}")]
    Connection(String),
}

/// Sends requests to the provider.
#[derive(Clone, Debug)]
pub(super) struct ProviderHttp(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl ProviderHttp {
    /// Trusts the public authorities and those of the system (`SSL_CERT_FILE`, `SSL_CERT_DIR`), among which is a company's own.
    pub(super) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self(client)
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, RequestError> {
        let url = request.uri().to_string();
        if !is_secure(&url) {
            return Err(RequestError::Insecure(without_query(&url)));
        }
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let exchange = async {
            let response = (self.0.request(request).await)
                .map_err(|error| RequestError::Connection(super::with_causes(&error)))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, LONGEST_BODY).collect().await;
            let body = body.map_err(|_| RequestError::Body)?.to_bytes();
            Ok(HttpResponse::from_parts(parts, body.to_vec()))
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .unwrap_or(Err(RequestError::Timeout))
    }
}

/// Whether the URL is https, or of this machine, as in a test.
pub(super) fn is_secure(url: &str) -> bool {
    Url::parse(url)
        .is_ok_and(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)))
}

fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

impl<'c> AsyncHttpClient<'c> for ProviderHttp {
    type Error = RequestError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, RequestError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
