//! An etcd that is reached over https, and wants a certificate.

use super::*;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, process};

/// Makes an authority, and a certificate for etcd and one for a client that it signs.
const CERTIFICATES: &str = r#"
set -e
cd "$1"
new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "$@"; }
new -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
for name in etcd client; do
    new -subj /CN=$name -keyout $name.key -out $name.csr
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' > $name.ext
    openssl x509 -req -days 2 -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
        -extfile $name.ext -out $name.pem
done
"#;

fn certificates() -> Option<PathBuf> {
    let folder = env::temp_dir().join(format!("telefile-{}-tls", process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let installed = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        eprintln!("\nSKIPPED: openssl is not installed: the test of https to etcd needs it\n");
        return None;
    }
    let made = Command::new("sh").args(["-c", CERTIFICATES, "sh"]).arg(&folder).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    Some(folder)
}

#[test]
fn etcd_is_asked_over_https_with_a_certificate() {
    let Some(folder) = certificates() else { return };
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let Some(etcd) = real::Etcd::start_with_tls(&folder) else { return };
    let options = || Options::new([etcd.url.clone()]).prefix("t/").ca(path("ca.pem"));
    let with = |options| Etcd::new(options).unwrap();
    let term = term(&with(options().cert(path("client.pem"), path("client.key"))));
    let store = term.store();
    let model = loaded(&*store).unwrap();
    store.commit(&[model.put("a", vec![1])], &model.next()).unwrap();
    term.resign();
    // Without the one certificate, and without trust in the other.
    let strangers = Options::new([etcd.url.clone()]);
    for refused in [options(), strangers.cert(path("client.pem"), path("client.key"))] {
        assert_eq!(
            with(refused).look(Duration::from_secs(1)).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
    }
    for (ca, cert, key, named) in [
        ("no.pem", "client.pem", "client.key", "no.pem"),
        ("client.key", "client.pem", "client.key", "client.key: no certificate"),
        ("ca.pem", "client.key", "client.key", "client.key: no certificate"),
        ("ca.pem", "client.pem", "ca.pem", "ca.pem"),
    ] {
        let options = Options::new([etcd.url.clone()]).ca(path(ca)).cert(path(cert), path(key));
        let e = Etcd::new(options).unwrap_err();
        assert!(e.to_string().contains(named), "{e}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
