//! An etcd that asks for a user and a password.

use super::gate::{Gate, Step};
use super::*;
use crate::store::etcd::Fault;
use std::io::ErrorKind;

#[test]
fn a_token_that_has_ended_is_replaced() {
    let Some(etcd) = real::Etcd::start(128) else { return };
    for (path, body) in [
        ("/v3/auth/user/add", r#"{"name": "root", "password": "secret"}"#),
        ("/v3/auth/role/add", r#"{"name": "root"}"#),
        ("/v3/auth/user/grant", r#"{"user": "root", "role": "root"}"#),
        ("/v3/auth/user/add", r#"{"name": "other", "password": "secret"}"#),
        ("/v3/auth/enable", "{}"),
    ] {
        real::post(&etcd.url, path, body);
    }
    let gate = Gate::start(&etcd.url);
    let options = || Options::new([gate.url()]).prefix("t/");
    let denied = |options| {
        let e = Etcd::new(options).unwrap().leader().unwrap_err();
        assert_eq!((e.kind(), Etcd::fault(&e)), (ErrorKind::PermissionDenied, Some(Fault::Access)));
    };
    denied(options());
    denied(options().user("root", "wrong"));
    denied(options().user("other", "secret"));

    let term = term(&Etcd::new(options().user("root", "secret")).unwrap());
    let store = term.store();
    let mut model = loaded(&*store).unwrap();
    // As after 300 s without a request, or a restart of etcd.
    for step in [Step::Token("ended"), Step::Pass, Step::Token("ended.1")] {
        gate.steps([step]);
        let (put, head) = (model.put("a", vec![1]), model.next());
        store.commit(std::slice::from_ref(&put), &head).unwrap();
        model.apply(&[put], head);
    }
    assert_eq!(loaded(&*term.store()).unwrap(), model);
    term.resign();
}
