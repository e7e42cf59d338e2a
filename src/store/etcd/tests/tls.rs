//! An etcd that is reached over https, and wants a certificate.

use super::*;
use crate::store::etcd::Fault;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, process, thread};

/// How long to try. What cannot pass is said at once.
const LONG: Duration = Duration::from_secs(100);

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
printf 'subjectAltName=DNS:etcd.example,IP:127.0.0.2\n' >other.ext
openssl x509 -req -days 2 -in etcd.csr -CA ca.pem -CAkey ca.key -extfile other.ext -out other.pem
printf '[ca]\ndefault_ca=a\n[a]\nnew_certs_dir=.\ndatabase=index\nserial=serial\npolicy=p\n[p]\ncommonName=supplied\n' >ca.cnf
: >index
echo 01 >serial
openssl ca -batch -md sha256 -config ca.cnf -cert ca.pem -keyfile ca.key -in etcd.csr \
    -startdate 200101000000Z -enddate 200102000000Z -extfile etcd.ext -notext -out expired.pem
new -x509 -days 2 -subj /CN=strange -keyout strange.key -out strange.pem
"#;

/// Half of what the thread of a client has, which commits the client's changes itself.
const STACK_BYTES: usize = 256 << 10;

fn certificates(name: &str) -> Option<PathBuf> {
    let folder = env::temp_dir().join(format!("telefile-{}-{name}", process::id()));
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
    let Some(folder) = certificates("tls") else { return };
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
    let strange = options().cert(path("strange.pem"), path("strange.key"));
    for (refused, why) in [
        (options(), "it does not trust the certificate that this program shows"),
        (strange, "it does not trust the certificate that this program shows"),
        (
            strangers.cert(path("client.pem"), path("client.key")),
            "an authority that is not trusted",
        ),
    ] {
        let e = with(refused).look(LONG).unwrap_err();
        assert_eq!(Etcd::fault(&e), Some(Fault::Options), "{e}");
        assert!(e.to_string().contains(why), "{e}");
    }
    for (ca, cert, key, named) in [
        ("no.pem", "client.pem", "client.key", "no.pem"),
        ("client.key", "client.pem", "client.key", "client.key: no certificate"),
        ("ca.pem", "client.key", "client.key", "client.key: no certificate"),
        ("ca.pem", "client.pem", "ca.pem", "ca.pem"),
        ("ca.pem", "client.pem", "etcd.key", "etcd.key: it is not the key of the certificate in"),
    ] {
        let options = Options::new([etcd.url.clone()]).ca(path(ca)).cert(path(cert), path(key));
        let e = Etcd::new(options).unwrap_err();
        assert!(e.to_string().contains(named), "{e}");
    }
    // Where only one end speaks TLS, etcd says nothing.
    let plain = real::etcd().expect("it is installed");
    for (url, other) in [
        (etcd.url.replace("https:", "http:"), "an https"),
        (plain.replace("http:", "https:"), "an http"),
    ] {
        let e =
            Etcd::new(Options::new([url])).unwrap().look(Duration::from_millis(500)).unwrap_err();
        assert_eq!(Etcd::fault(&e), None, "{e}");
        assert!(e.to_string().contains(&format!("it needs {other} URL, or it is no etcd")), "{e}");
    }
    drop(etcd);
    // What its certificate says, and where another program speaks no TLS.
    let plain = wrong::speaks("SSH-2.0-x\r\n", "").replace("http:", "https:");
    let (other, expired) = (Speaker::start(&folder, "other"), Speaker::start(&folder, "expired"));
    for (url, why, fault) in [
        (&other.url, "its certificate is for another host", Some(Fault::Options)),
        (&expired.url, "its certificate has expired", None),
        (&plain, "it does not speak TLS: it needs an http URL", Some(Fault::Options)),
    ] {
        let options = Options::new([&url[..]]).ca(path("ca.pem"));
        let e = with(options).look(Duration::from_millis(500)).unwrap_err();
        assert_eq!(Etcd::fault(&e), fault, "{e}");
        assert!(e.to_string().contains(&format!("etcd: {url}: {why}")), "{e}");
    }
    drop((other, expired));
    fs::remove_dir_all(&folder).unwrap();
}

/// A program that speaks TLS.
struct Speaker {
    url: String,
    child: Child,
}

impl Speaker {
    /// Starts one with etcd's key and a certificate.
    fn start(folder: &Path, certificate: &str) -> Speaker {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_server", "-accept", "127.0.0.1:0", "-key", "etcd.key", "-cert"]);
        openssl.arg(format!("{certificate}.pem")).current_dir(folder);
        openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = openssl.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address =
            lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(String::from));
        // It says more, and would wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        Speaker { url: format!("https://{}", address.unwrap()), child }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An overflow would end the process.
#[test]
fn half_the_stack_of_a_session_is_enough_for_https() {
    let Some(folder) = certificates("stack") else { return };
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let Some(etcd) = real::Etcd::start_with_tls(&folder) else { return };
    let options = Options::new([etcd.url.clone()]).prefix("t/").ca(path("ca.pem"));
    let options = options.cert(path("client.pem"), path("client.key"));
    let work = move || {
        // The first request shakes hands. The last one has the longest body that there is.
        let term = term(&Etcd::new(options).unwrap());
        let store = term.store();
        let mut model = loaded(&*store).unwrap();
        for numbytes in [1, 1 << 20] {
            let put = model.put("a", vec![b'x'; numbytes]);
            let head = model.next();
            store.commit(std::slice::from_ref(&put), &head).unwrap();
            model.apply(&[put], head);
        }
        assert_eq!(loaded(&*term.store()).unwrap(), model);
        term.resign();
    };
    let small = thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap();
    small.join().unwrap();
    fs::remove_dir_all(&folder).unwrap();
}
