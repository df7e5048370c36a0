//! What can be wrong before a store is open: the way to the server, the password, the certificate.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use strongroom_conformance_servers::{Postgres as Program, PostgresOptions as ProgramOptions};
use strongroom_core::ErrorKind;
use strongroom_core::store::Store as _;
use strongroom_postgres::{Postgres, PostgresOptions, Server};

use crate::site::{NAMESPACE, Site, commit, failed, puts, run, url_at, with};

pub(crate) fn what_cannot_be_reached_is_named() {
    run(async {
        let impatient = || PostgresOptions { connect_timeout_ms: 300, ..PostgresOptions::default() };
        // A port that nobody listens on, and one where nobody answers.
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let refused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        for address in [refused, silent.local_addr().unwrap()] {
            let url = format!("postgres://me:sesame@{address}/chat?namespace=tested&sslmode=disable");
            let error = failed(impatient().open(&url).await, ErrorKind::Io, "open");
            assert_eq!(error.place(), Some(&*address.to_string()), "{error}");
            assert!(!format!("{error} {error:?}").contains("sesame"), "{error:?}");
        }
        let nowhere = "postgres://me:sesame@nowhere.invalid/chat?namespace=tested";
        let error = failed(impatient().open(nowhere).await, ErrorKind::Io, "open");
        assert_eq!(error.place(), Some("nowhere.invalid:5432"), "{error}");
        let site = Site::new();
        let unknown = format!("postgres://strongroom@{}/unknown?namespace=tested", site.server.address());
        let error = failed(impatient().open(&unknown).await, ErrorKind::Io, "open");
        assert!(error.to_string().contains("the database does not exist"), "{error}");
        failed(Postgres::open(&site.server.url()).await, ErrorKind::InvalidInput, "open");
        failed(Server::connect(&site.direct_url(NAMESPACE)).await, ErrorKind::InvalidInput, "connect");
    });
}

pub(crate) fn a_password_is_asked_for_and_never_shown() {
    const WRONG: &str = "open-sesame";
    run(async {
        let site = Site::new();
        let url = with(&site.server.url_with_password(), &[("schema", &site.schema), ("namespace", NAMESPACE)]);
        let store = Postgres::open(&url).await.unwrap();
        let server = Server::connect(&site.server.url_with_password()).await.unwrap();
        let password = url::Url::parse(&url).unwrap().password().unwrap().to_owned();
        let shown = format!("{store:?} {server:?} {:?}", store.snapshot().await.unwrap());
        assert!(!shown.contains(&format!(":{password}@")), "{shown}");
        for (of, wrong) in [(&password, WRONG), (&password, "open%20sesame")] {
            let url = url.replace(&format!(":{of}@"), &format!(":{wrong}@"));
            let error = failed(Postgres::open(&url).await, ErrorKind::Io, "open");
            assert!(error.to_string().contains("refuses this user or password"), "{error}");
            assert!(!format!("{error} {error:?}").contains("sesame"), "{error:?}");
        }
        let error = failed(Postgres::open(&url.replace(&format!(":{password}@"), "@")).await, ErrorKind::Io, "open");
        assert!(error.place().is_some(), "{error}");
    });
}

pub(crate) fn without_encryption_what_requires_it_is_refused() {
    run(async {
        let site = Site::new();
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = with(&site.direct_url(NAMESPACE), &[("sslmode", mode)]);
            let error = failed(Postgres::open(&url).await, ErrorKind::Io, "open");
            assert!(error.to_string().contains("no secure connection"), "{mode}: {error}");
        }
        for mode in ["disable", "allow", "prefer"] {
            Postgres::open(&with(&site.direct_url(NAMESPACE), &[("sslmode", mode)])).await.unwrap();
        }
    });
}

fn root() -> CertifiedIssuer<'static, KeyPair> {
    let mut root = CertificateParams::new([]).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap()
}

/// A server that encrypts, with a certificate for its address and not for its name.
fn encrypting(root: &CertifiedIssuer<'static, KeyPair>) -> Program {
    let mut server = Program::start(&ProgramOptions::default()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()]).unwrap().signed_by(&key, root).unwrap();
    // The server writes them, so that they are its own, and nobody else's to read.
    for (name, text) in [("server.key", key.serialize_pem()), ("server.crt", certificate.pem())] {
        let lines = format!("SELECT unnest(string_to_array('{}', chr(10)))", text.replace("\r\n", "\n"));
        server.execute(&format!("COPY ({lines}) TO PROGRAM 'umask 077; cat > {name}'")).unwrap();
    }
    server.execute("ALTER SYSTEM SET ssl = on").unwrap();
    server.restart().unwrap();
    server
}

pub(crate) fn a_certificate_is_checked_against_its_root() {
    run(async {
        let (root, other) = (root(), root());
        let server = encrypting(&root);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, issuer: &CertifiedIssuer<'static, KeyPair>| {
            let path = folder.path().join(name);
            std::fs::write(&path, issuer.pem()).unwrap();
            path
        };
        let (right, wrong) = (file("right.pem", &root), file("wrong.pem", &other));
        let by_address = url_at(&server, server.address());
        let by_name = by_address.replace("127.0.0.1", "localhost");
        let open = |url: &str, mode: &str, root: Option<&Path>| {
            let mut url = with(url, &[("sslmode", mode)]);
            if let Some(root) = root {
                url = with(&url, &[("sslrootcert", root.to_str().unwrap())]);
            }
            async move { Postgres::open(&url).await }
        };
        let store = open(&by_address, "verify-full", Some(&right)).await.unwrap();
        commit(&store, puts(["row"])).await.unwrap();
        let encrypted = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND application_name = 'strongroom'";
        assert_eq!(server.query(encrypted).unwrap(), "t");
        for (url, mode, root) in [
            (&by_address, "verify-full", Some(&*wrong)),
            (&by_address, "verify-ca", Some(&*wrong)),
            (&by_address, "verify-full", None),
            (&by_name, "verify-full", Some(&*right)),
        ] {
            let error = failed(open(url, mode, root).await, ErrorKind::Io, "open");
            assert!(error.place().is_some(), "{error}");
        }
        open(&by_name, "verify-ca", Some(&right)).await.unwrap();
        open(&by_address, "require", None).await.unwrap();
    });
}
