//! Objects in S3 and what is compatible with it.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore};
use rustls_platform_verifier::BuilderVerifierExt;
use strongroom_core::{Error, ErrorKind, Result};

/// A request may take so long: a part of 4 MiB still gets through at 35 KiB a second.
const REQUEST_MAX: Duration = Duration::from_secs(120);
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Where an endpoint is set, in the order in which it counts.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];

/// The bucket, with the credentials of the environment. Nothing is asked of the server yet.
pub(crate) fn open(bucket: &str, prefix: &str) -> Result<Arc<dyn ObjectStore>> {
    let endpoint = ENDPOINTS.iter().find_map(|name| env::var(name).ok());
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    let plain_http = endpoint.as_deref().is_some_and(is_on_this_machine);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let store = builder.with_allow_http(plain_http).with_http_connector(S3Connector { plain_http }).build().map_err(|error| {
        let message = "the settings of S3 are not complete; see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT";
        Error::new(ErrorKind::InvalidInput, message).with_source(error).on("objects").during("open")
    })?;
    Ok(match prefix {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}

/// A server on this machine has no certificate. What goes to others is encrypted on the way.
fn is_on_this_machine(endpoint: &str) -> bool {
    let host = endpoint.strip_prefix("http://").map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| {
        let name = host.strip_prefix("[::1]").map_or_else(|| host.split(':').next().unwrap_or_default(), |_| "::1");
        !host.contains('@') && ["127.0.0.1", "localhost", "::1"].contains(&name)
    })
}

/// Makes the client, with ring for TLS. `object_store` would make one with a larger library that takes longer to build, or ask for
/// a setting of the whole process, which is not a library's to make.
///
/// A program that builds an `AmazonS3` by itself gives it this, by `with_http_connector`; without, the client panics unless the process has
/// a default provider of rustls, or `object_store` was built with another of its features.
#[derive(Clone, Copy, Debug, Default)]
pub struct S3Connector {
    /// Whether requests may go out in clear, as to a server on this machine.
    pub plain_http: bool,
}

impl HttpConnector for S3Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| failed(error.into()))?
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(!self.plain_http)
            // Many connections are faster here than one that is shared.
            .http1_only()
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX)
            // An object is where it is: a redirection is a wrong region or endpoint, and worth an error.
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Ok(HttpClient::new(client.map_err(|error| failed(error.into()))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_clear() {
        for endpoint in ["http://127.0.0.1:9000", "http://localhost", "http://localhost:1/x", "http://[::1]:3900"] {
            assert!(is_on_this_machine(endpoint), "{endpoint}");
        }
        for endpoint in [
            "http://example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "http://127.0.0.1@example.org",
            "http://localhost:80@example.org",
            "https://127.0.0.1",
            "",
        ] {
            assert!(!is_on_this_machine(endpoint), "{endpoint}");
        }
    }

    #[test]
    fn a_client_is_made_without_a_setting_of_the_process() {
        assert!(S3Connector { plain_http: false }.connect(&ClientOptions::default()).is_ok());
    }
}
