//! Who is active, and until when.

use super::gate::{Gate, Step};
use super::*;
use crate::store::etcd::boottime;
use crate::store::etcd::gateway::Txn;
use crate::waker::Waker;
use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Returns what receives a message at the end of a term.
fn end_of(term: &Term) -> mpsc::Receiver<()> {
    let (over, is_over) = mpsc::channel();
    term.on_over(move || over.send(()).unwrap());
    is_over
}

fn candidate(address: &str) -> Candidate {
    Candidate { address: Some(address.to_string()) }
}

#[test]
fn one_server_is_active_at_a_time_and_the_others_learn_of_it() {
    let Some(url) = real::etcd() else { return };
    let (etcd, ending) = (table(&url), Waker::new().unwrap());
    assert_eq!(etcd.leader().unwrap(), None);
    let first = etcd.campaign(&candidate("a:1")).unwrap().unwrap();
    assert!(first.may_answer());
    assert!(etcd.campaign(&candidate("b:2")).unwrap().is_none());
    let leader = etcd.wait(None, &ending).unwrap().unwrap();
    assert_eq!((&leader, leader.address.as_str()), (first.leader(), "a:1"));
    assert_eq!(leader.secret, first.secret());

    let (seen, standby) = (leader.clone(), etcd.clone());
    let waiting = thread::spawn(move || standby.wait(Some(&seen), &Waker::new().unwrap()));
    first.resign();
    assert_eq!(waiting.join().unwrap().unwrap(), None);
    assert!(!first.may_answer() && first.is_over());

    let second = etcd.campaign(&candidate("b:2")).unwrap().unwrap();
    let leader = etcd.wait(None, &ending).unwrap().unwrap();
    assert_eq!(&leader, second.leader());
    assert!(leader.revision > first.leader().revision && leader.secret != first.secret());
    ending.wake();
    assert_eq!(etcd.wait(Some(&leader), &ending).unwrap(), Some(leader));
    second.resign();
}

#[test]
fn a_server_is_elected_though_replies_are_lost() {
    let Some(url) = real::etcd() else { return };
    let (gate, prefix) = (Gate::start(&url), prefix());
    gate.steps([Step::Cut(0), Step::Lose, Step::Late]);
    let term = term(&table_at(gate.url(), &prefix));
    gate.release();
    assert_eq!(table_at(&url, &prefix).leader().unwrap().as_ref(), Some(term.leader()));
    term.resign();
    // What was late has no lease any more.
    gate.steps([Step::Late, Step::Late, Step::Pass]);
    let late = table_at(gate.url(), &prefix).campaign(&Candidate::default()).unwrap().unwrap();
    late.resign();
    gate.release();
    assert_eq!(table_at(&url, &prefix).leader().unwrap(), None);
}

#[test]
fn a_term_is_over_when_its_lease_is_gone() {
    let Some(url) = real::etcd() else { return };
    let etcd = table(&url);
    let term = term(&etcd);
    let is_over = end_of(&term);
    etcd.cluster.gateway.revoke(term.lease(), Duration::from_secs(30)).unwrap();
    is_over.recv().unwrap();
    assert!(!term.may_answer());
    end_of(&term).recv().unwrap(); // at once
}

#[test]
fn a_term_is_over_when_another_program_removes_its_key_or_puts_etcd_back() {
    let Some(url) = real::etcd() else { return };
    let gate = Gate::start(&url);
    let etcd = table(gate.url());
    let removed = term(&etcd);
    let is_over = end_of(&removed);
    let mut txn = Txn::default();
    txn.delete(&etcd.cluster.keys.leader());
    etcd.cluster.gateway.transact(txn).unwrap();
    is_over.recv().unwrap(); // its lease lives, and it commits nothing
    assert!(!removed.may_answer());
    removed.resign();

    let restored = term(&etcd);
    let is_over = end_of(&restored);
    gate.script(|path, _| match path {
        "/v3/kv/range" => Step::Header("revision", "1"),
        _ => Step::Pass,
    });
    is_over.recv().unwrap();
    assert!(!restored.may_answer());
    restored.resign();
}

#[test]
fn a_server_does_not_wait_for_its_own_former_term() {
    let Some(url) = real::etcd() else { return };
    let gate = Gate::start(&url);
    let etcd = table(gate.url());
    let former = term(&etcd);
    let refuse_revocations = |path: &str, _: &serde_json::Value| match path {
        "/v3/lease/revoke" => Step::Lose,
        _ => Step::Pass,
    };
    gate.script(refuse_revocations);
    former.resign();
    gate.script(|_, _| Step::Pass);
    assert_eq!(etcd.leader().unwrap().as_ref(), Some(former.leader())); // its lease lives
    let next = etcd.campaign(&candidate("a:1")).unwrap().expect("the former term is ended at once");
    assert_eq!(etcd.leader().unwrap().as_ref(), Some(next.leader()));
    next.resign();
}

#[test]
fn a_server_that_renews_nothing_does_not_answer_for_long() {
    let Some(url) = real::etcd() else { return };
    let gate = Gate::start(&url);
    let term = term(&table(gate.url()));
    gate.script(|path, _| match path {
        "/v3/lease/keepalive" => Step::Cut(0),
        _ => Step::Pass,
    });
    // Renewals are done, but not acknowledged: etcd has the lease, and the server must not know.
    end_of(&term).recv().unwrap();
    assert!(!term.may_answer());
    term.resign();
}

#[test]
fn the_clock_alone_ends_the_answers() {
    let Some(url) = real::etcd() else { return };
    let term = term(&table(&url));
    assert!(term.may_answer());
    // As after the machine was suspended, before the thread of the lease runs again.
    term.set_renewed(boottime::now().checked_sub(Duration::from_secs(8)).unwrap());
    assert!(!term.may_answer());
    term.resign();
}

#[test]
fn what_another_program_has_put_is_fatal() {
    let Some(url) = real::etcd() else { return };
    let etcd = table(&url);
    for odd in [&b"x"[..], b"", b"\xff y", b" a:1", b"secret a 1"] {
        let mut txn = Txn::default();
        txn.put(&etcd.cluster.keys.leader(), odd);
        etcd.cluster.gateway.transact(txn).unwrap();
        let e = etcd.campaign(&Candidate::default()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidData, "{e}");
        assert!(Etcd::is_fatal(&etcd.wait(None, &Waker::new().unwrap()).unwrap_err()));
    }
}

#[test]
fn the_next_member_is_asked_when_one_is_gone() {
    let Some(url) = real::etcd() else { return };
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = Options::new([format!("http://{gone}"), url]).prefix(prefix());
    let term = term(&Etcd::new(options).unwrap());
    let store = term.store();
    let model = loaded(&*store).unwrap();
    store.commit(&[model.put("a", vec![1])], &model.next()).unwrap();
    term.resign();
}
