//! Requests to the router and their responses.

use std::net::{IpAddr, SocketAddr};

use axum::{body::Body, extract::ConnectInfo};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::service::LatchkeyService;
use tower::ServiceExt as _;

/// A request under construction. By default it comes from 203.0.113.9 and has no browser headers.
pub(crate) struct TestRequest {
    router: LatchkeyService,
    method: Method,
    path: String,
    headers: HeaderMap,
    peer: IpAddr,
    body: Body,
}

impl TestRequest {
    pub(crate) fn new(router: LatchkeyService, method: &str, path: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("keys.test"));
        Self {
            router,
            method: method.parse().unwrap(),
            path: path.to_owned(),
            headers,
            peer: "203.0.113.9".parse().unwrap(),
            body: Body::empty(),
        }
    }

    /// Adds a header line, also to others of the same name.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_bytes(value.as_ref()).unwrap(),
        );
        self
    }

    /// Removes the host header.
    pub(crate) fn without_host(mut self) -> Self {
        self.headers.remove(header::HOST);
        self
    }

    pub(crate) fn key(self, secret: &str) -> Self {
        self.header("x-api-key", secret)
    }

    pub(crate) fn cookie(self, pair: &str) -> Self {
        self.header("cookie", pair)
    }

    /// Adds the headers of a request from a page of the console.
    pub(crate) fn same_origin(self) -> Self {
        self.header("sec-fetch-site", "same-origin")
    }

    /// Sets the address of the other end of the connection.
    pub(crate) fn from(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Sets a body without a content type.
    pub(crate) fn untyped_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    pub(crate) async fn send(self) -> TestResponse {
        let (parts, body) = self.open().await.into_parts();
        TestResponse {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    /// Sends the request and returns the response before its body was read.
    pub(crate) async fn open(self) -> Response<Body> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(self.peer, 40_000)));
        self.router.oneshot(request).await.unwrap()
    }
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestResponse {
    /// The value of a header that occurs exactly once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values
            .next()
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        assert!(values.next().is_none(), "more than one {name}");
        value.to_str().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The changed key without the receipt, which is `null` on SQLite and reports one replica on PostgreSQL.
    pub(crate) fn changed_key(&self) -> Value {
        let mut response = self.json();
        let receipt = response.as_object_mut().unwrap().remove("receipt").unwrap();
        if !receipt.is_null() {
            assert_eq!(
                (&receipt["replicas"], &receipt["refused_on"]),
                (&1.into(), &1.into())
            );
            assert!(receipt["after_ms"].is_u64(), "{receipt}");
        }
        response
    }

    /// Asserts that this is a complete problem with this status and code.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:latchkey:problem:{code}"));
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        if status == 401 {
            assert_eq!(self.header("www-authenticate"), "ApiKey realm=\"latchkey\"");
        }
        problem
    }

    /// The `name=value` of a cookie that the response sets.
    #[track_caller]
    pub(crate) fn set_cookie(&self, name: &str) -> String {
        let start = format!("{name}=");
        self.headers
            .get_all("set-cookie")
            .iter()
            .filter_map(|line| line.to_str().unwrap().split(';').next())
            .find(|pair| pair.starts_with(&start))
            .unwrap_or_else(|| panic!("{name} is not set by {:?}", self.headers))
            .to_owned()
    }
}
