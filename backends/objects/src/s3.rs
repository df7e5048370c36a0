//! Objects in S3 and what is compatible with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ClientOptions, ObjectStore};
use rustls_platform_verifier::BuilderVerifierExt;
use strongroom_core::{Error, ErrorKind, Result};

/// A request may take so long: a part of 4 MiB still gets through at 35 KiB a second.
const REQUEST_MAX: Duration = Duration::from_secs(120);
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Where an endpoint is set, in the order in which it counts.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];

/// What object_store takes for yes.
const YES: [&str; 5] = ["1", "true", "on", "yes", "y"];

/// The bucket, with the credentials of the environment. Nothing is asked of the server yet.
pub(crate) fn open(bucket: &str, prefix: &str) -> Result<Arc<dyn ObjectStore>> {
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let store = builder(variables)?.with_bucket_name(bucket).build().map_err(|error| {
        invalid("the settings of S3 are not complete; see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT")
            .with_source(error)
    })?;
    Ok(match prefix {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, message).on("objects").during("open")
}

/// From the variables of an environment. One that is empty counts as unset.
fn builder(variables: impl Iterator<Item = (String, String)>) -> Result<AmazonS3Builder> {
    let variables: BTreeMap<String, String> =
        variables.filter(|(name, value)| name.starts_with("AWS_") && !value.trim().is_empty()).collect();
    if !has_credentials(&variables) {
        return Err(invalid(
            "there are no credentials for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and \
             AWS_ROLE_ARN, or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, or AWS_CONTAINER_CREDENTIALS_FULL_URI and \
             AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ));
    }
    let mut builder = AmazonS3Builder::new();
    for (name, value) in variables.iter().filter(|(name, _)| !ENDPOINTS.contains(&name.as_str())) {
        // The same names that object_store takes; others are for other programs.
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let endpoint = ENDPOINTS.iter().find_map(|name| Some((*name, variables.get(*name)?)));
    let plain_http = match endpoint {
        Some((name, endpoint)) => {
            let plain_http = ensure_endpoint(name, endpoint)?;
            builder = builder.with_endpoint(endpoint);
            plain_http
        }
        None => false,
    };
    Ok(builder.with_allow_http(plain_http).with_http_connector(AsAllowed))
}

/// Whether there is something that `object_store` finds before it asks the metadata service of the machine, at an address of the local
/// network where anybody may listen.
fn has_credentials(variables: &BTreeMap<String, String>) -> bool {
    let has = |name: &str| variables.contains_key(name);
    has("AWS_ACCESS_KEY_ID")
        || has("AWS_SECRET_ACCESS_KEY")
        || has("AWS_WEB_IDENTITY_TOKEN_FILE") && has("AWS_ROLE_ARN")
        || has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        || has("AWS_CONTAINER_CREDENTIALS_FULL_URI") && has("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        // A bucket that all may read.
        || variables.get("AWS_SKIP_SIGNATURE").is_some_and(|value| YES.contains(&value.to_ascii_lowercase().as_str()))
}

/// Whether an endpoint is spoken to in clear. It is not repeated in an error: there may be a password in it.
fn ensure_endpoint(name: &str, endpoint: &str) -> Result<bool> {
    if endpoint.contains('@') {
        return Err(invalid(format!(
            "{name} has '@' in it; credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )));
    }
    let is_plain = endpoint.starts_with("http://");
    if !is_plain && !endpoint.starts_with("https://") {
        return Err(invalid(format!("{name} must begin with https://, or with http:// for a server on this machine")));
    }
    // What one library takes for the host must be what another does.
    let is_plain_text = endpoint.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte));
    if !is_plain_text || reqwest::Url::parse(endpoint).is_err() {
        return Err(invalid(format!("{name} is no URL, like https://s3.example.org")));
    }
    if is_plain && !is_on_this_machine(endpoint) {
        return Err(invalid(format!("{name}: only a server on this machine is spoken to without TLS; use https://")));
    }
    Ok(is_plain)
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
        client(self.plain_http)
    }
}

/// The same, in clear where `object_store` asks for that: for an endpoint as [`builder`] allows it, and for the credentials of a
/// container, which come from its own host.
#[derive(Debug)]
struct AsAllowed;

impl HttpConnector for AsAllowed {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        client(options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true"))
    }
}

fn client(plain_http: bool) -> object_store::Result<HttpClient> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| failed(error.into()))?
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(!plain_http)
        // Many connections are faster here than one that is shared.
        .http1_only()
        .connect_timeout(CONNECT_MAX)
        .timeout(REQUEST_MAX)
        // An object is where it is: a redirection is a wrong region or endpoint, and worth an error.
        .redirect(reqwest::redirect::Policy::none());
    if plain_http {
        // What goes out in clear stays on this machine.
        builder = builder.no_proxy();
    }
    Ok(HttpClient::new(builder.build().map_err(|error| failed(error.into()))?))
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

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    /// What comes of an environment; an error is one of the settings.
    fn opened(variables: &[(&str, &str)]) -> Result<(), String> {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let built = builder(variables).map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            error.to_string()
        });
        built?.with_bucket_name("bucket").build().map(drop).map_err(|error| error.to_string())
    }

    fn with_endpoint(name: &str, endpoint: &str) -> Result<(), String> {
        opened(&[KEYS[0], KEYS[1], (name, endpoint)])
    }

    #[test]
    fn an_endpoint_that_cannot_be_right_is_refused_and_not_repeated() {
        for endpoint in
            ["https://s3.example.org", "http://127.0.0.1:9000", "http://[::1]:3900", "https://h:1/path", "", " "]
        {
            assert_eq!(with_endpoint("AWS_ENDPOINT", endpoint), Ok(()), "{endpoint}");
        }
        for (endpoint, word) in [
            ("localhost:9000", "must begin with https://"),
            ("s3.secret.org", "must begin with https://"),
            ("ftp://secret", "must begin with https://"),
            ("https://", "is no URL"),
            ("http://", "is no URL"),
            ("https://a secret", "is no URL"),
            ("https://secret:port", "is no URL"),
            ("http://localhost\\secret", "is no URL"),
            ("https://user:secret@example.org", "'@'"),
            ("user:secret@example.org", "'@'"),
            ("http://secret.example.org", "only a server on this machine is spoken to without TLS"),
        ] {
            for name in ENDPOINTS {
                let error = with_endpoint(name, endpoint).unwrap_err();
                assert!(
                    error.contains(word) && error.contains(name) && !error.contains("secret"),
                    "{endpoint}: {error}"
                );
            }
        }
        // The first that is set counts, and one that is empty is not set.
        let both =
            [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_S3", ""), ("AWS_ENDPOINT_URL", "https://a"), ("AWS_ENDPOINT", "b")];
        assert_eq!(opened(&both), Ok(()));
    }

    #[test]
    fn without_credentials_the_variables_are_named() {
        let file = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
        let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1");
        for variables in [
            &[][..],
            &[("AWS_ACCESS_KEY_ID", ""), ("AWS_REGION", "x")],
            &[file],
            &[uri],
            &[("AWS_SKIP_SIGNATURE", "0")],
        ] {
            let error = opened(variables).unwrap_err();
            for name in ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
                assert!(error.contains(name), "{error}");
            }
        }
        for variables in [
            &KEYS[..],
            &[file, ("AWS_ROLE_ARN", "arn")],
            &[uri, ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token")],
            &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2")],
            &[("AWS_SKIP_SIGNATURE", "true")],
        ] {
            assert_eq!(opened(variables), Ok(()), "{variables:?}");
        }
        assert!(opened(&KEYS[..1]).unwrap_err().to_lowercase().contains("secret"));
    }
}
