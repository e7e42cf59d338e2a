//! Replies that are lost, late, or not of the cluster that answered before.

use super::gate::{Gate, Step};
use super::*;
use crate::files::store::CommitError;
use crate::store::etcd::term::Term;
use std::io::ErrorKind;

/// An active server behind a gate.
struct Behind {
    gate: Gate,
    url: String,
    prefix: String,
    term: Arc<Term>,
    store: Arc<dyn Store>,
    model: Model,
}

impl Behind {
    fn start() -> Option<Behind> {
        let url = real::etcd()?;
        let (gate, prefix) = (Gate::start(&url), prefix());
        let term = term(&table_at(gate.url(), &prefix));
        let store = term.store();
        let model = loaded(&*store).unwrap();
        Some(Behind { gate, url, prefix, term, store, model })
    }

    fn commit(&self) -> Result<(), CommitError> {
        let put = self.model.put("a", vec![b'x'; 10]);
        self.store.commit(&[put], &self.model.next())
    }

    /// The last batch is committed.
    fn advance(&mut self) {
        let put = self.model.put("a", vec![b'x'; 10]);
        let next = self.model.next();
        self.model.apply(&[put], next);
    }

    /// Checks what the next server finds.
    fn end(self) {
        self.gate.steps([]);
        self.term.resign();
        let next = term(&table_at(&self.url, &self.prefix));
        assert_eq!(loaded(&*next.store()).unwrap(), self.model);
        next.resign();
    }
}

#[test]
fn a_reply_may_be_cut_anywhere() {
    let Some(mut behind) = Behind::start() else { return };
    behind.commit().unwrap();
    behind.advance();
    for bytes in 0..behind.gate.reply_bytes() {
        behind.gate.steps([Step::Cut(bytes)]);
        behind.commit().unwrap();
        behind.advance();
    }
    behind.end();
}

#[test]
fn the_reply_of_what_settles_may_be_cut_anywhere_too() {
    let Some(mut behind) = Behind::start() else { return };
    behind.commit().unwrap();
    behind.advance();
    for bytes in (0..behind.gate.reply_bytes()).step_by(23) {
        for first in [Step::Cut(bytes), Step::Lose] {
            behind.gate.steps([first, Step::Cut(bytes), Step::Lose, Step::Cut(bytes)]);
            behind.commit().unwrap();
            behind.advance();
        }
    }
    behind.end();
}

const ERRORS: [(u16, &str); 7] = [
    (401, r#"{"error": "etcdserver: invalid auth token", "code": 16}"#),
    (429, r#"{"error": "etcdserver: too many requests", "code": 8}"#),
    (500, r#"{"error": "etcdserver: not capable", "code": 13}"#),
    (503, r#"{"error": "etcdserver: request timed out", "code": 14}"#),
    (502, "<html>Bad Gateway</html>"),
    (200, "{}"),
    (200, r#"{"header": {"revision": "x"}, "succeeded": true}"#),
];

#[test]
fn an_error_does_not_say_whether_it_was_done() {
    let Some(mut behind) = Behind::start() else { return };
    for (status, text) in ERRORS {
        for step in [Step::Instead(status, text), Step::Refuse(status, text)] {
            // What settles gets the same.
            behind.gate.steps([step.clone(), step.clone()]);
            behind.commit().unwrap_or_else(|e| panic!("{step:?}: {e}"));
            behind.advance();
        }
    }
    behind.end();
}

#[test]
fn silence_is_settled() {
    let Some(mut behind) = Behind::start() else { return };
    behind.gate.steps([Step::Silence, Step::Silence]);
    behind.commit().unwrap();
    behind.advance();
    behind.end();
}

#[test]
fn what_comes_late_is_done_no_more() {
    let Some(mut behind) = Behind::start() else { return };
    for late in 1..4 {
        // The batch and what asks for it are on their way when a later one settles.
        behind.gate.script({
            let (gate, mut txns) = (behind.gate.clone(), 0);
            move |path, _| {
                txns += usize::from(path == "/v3/kv/txn");
                match txns {
                    0 => Step::Pass,
                    txns if txns <= late => Step::Late,
                    txns if txns == late + 1 => Step::Pass,
                    // Before the batch is sent again.
                    _ => {
                        gate.release();
                        Step::Pass
                    }
                }
            }
        });
        behind.commit().unwrap();
        behind.advance();
    }
    behind.end();
}

#[test]
fn a_full_etcd_refuses_and_takes_more_later() {
    const FULL: Step =
        Step::Refuse(429, r#"{"error": "etcdserver: mvcc: database space exceeded", "code": 8}"#);
    let Some(mut behind) = Behind::start() else { return };
    behind.gate.steps([FULL]);
    assert!(matches!(behind.commit(), Err(CommitError::Full(_))));
    behind.commit().unwrap();
    behind.advance();
    // What settles is refused: it is known when etcd has room.
    behind.gate.steps([Step::Cut(0), FULL, FULL]);
    behind.commit().unwrap();
    behind.advance();
    behind.end();
}

#[test]
fn smaller_requests_are_sent_to_an_etcd_that_takes_only_those() {
    const TOO_LARGE: Step =
        Step::Refuse(400, r#"{"error": "etcdserver: request is too large", "code": 3}"#);
    let Some(mut behind) = Behind::start() else { return };
    let two = |model: &Model| {
        let first = model.put("a", vec![b'x'; 10]);
        let mut next = model.clone();
        next.head = model.next();
        ([first, next.put("b", vec![b'x'; 3000])], next.next())
    };
    let (batch, head) = two(&behind.model);
    behind.gate.steps([TOO_LARGE]);
    behind.store.commit(&batch, &head).unwrap();
    behind.model.apply(&batch, head);
    // One change alone is refused, from now on without asking.
    behind.gate.steps([TOO_LARGE]);
    let large = [behind.model.put("b", vec![b'x'; 3000])];
    for _ in 0..2 {
        let refused = behind.store.commit(&large, &behind.model.next());
        assert!(matches!(refused, Err(CommitError::Full(_))), "{refused:?}");
    }
    behind.commit().unwrap();
    behind.advance();
    behind.end();
}

#[test]
fn a_refusal_after_a_part_was_done_is_none() {
    let Some(mut behind) = Behind::start() else { return };
    let (mut batch, mut after) = (Vec::new(), behind.model.clone());
    for i in 0..200 {
        let (put, head) = (after.put(&format!("{i}"), vec![1]), after.next());
        after.apply(std::slice::from_ref(&put), head);
        batch.push(put);
        if i == 125 {
            behind.model = after.clone(); // what the first transaction takes
        }
    }
    let full = r#"{"error": "etcdserver: mvcc: database space exceeded", "code": 8}"#;
    behind.gate.steps([Step::Pass, Step::Refuse(429, full)]);
    let refused = behind.store.commit(&batch, &after.head);
    assert!(matches!(refused, Err(CommitError::Failed(_))), "{refused:?}");
    assert!(behind.term.is_over());
    behind.end();
}

#[test]
fn nothing_is_done_once_another_server_is_active() {
    for step in [Step::Pass, Step::Cut(0), Step::Lose] {
        let Some(behind) = Behind::start() else { return };
        let (over, is_over) = std::sync::mpsc::channel();
        behind.term.on_over(move || over.send(()).unwrap());
        let other = another(&behind, step);
        let e = behind.commit().unwrap_err();
        assert!(matches!(e, CommitError::Failed(_)), "{e:?}");
        is_over.recv().unwrap();
        assert!(!behind.term.may_answer());
        let other = other.lock().unwrap().take().unwrap();
        assert_eq!(loaded(&*other.store()).unwrap(), behind.model);
        assert!(matches!(behind.commit(), Err(CommitError::Failed(_))));
        other.resign();
    }
}

/// Elects another server before etcd gets the next transaction.
fn another(behind: &Behind, step: Step) -> Arc<std::sync::Mutex<Option<Arc<Term>>>> {
    let elected = Arc::new(std::sync::Mutex::new(None));
    let (to, mut step) = (elected.clone(), Some(step));
    let etcd = table_at(&behind.url, &behind.prefix);
    behind.gate.script(move |path, _| {
        if path != "/v3/kv/txn" {
            return Step::Pass;
        }
        let mut elected = to.lock().unwrap();
        if elected.is_none() {
            let key = etcd.cluster.keys.leader();
            let mut txn = crate::store::etcd::gateway::Txn::default();
            txn.delete(&key);
            etcd.cluster.gateway.transact(txn).unwrap();
            *elected = Some(term(&etcd));
        }
        step.take().unwrap_or(Step::Pass)
    });
    elected
}

#[test]
fn what_was_done_before_another_server_was_elected_is_not_answered() {
    let Some(mut behind) = Behind::start() else { return };
    // Done, and the reply is lost; then the election, then what settles.
    let etcd = table_at(&behind.url, &behind.prefix);
    let mut txns = 0;
    behind.gate.script(move |path, _| {
        txns += usize::from(path == "/v3/kv/txn");
        if txns == 1 {
            return Step::Cut(0);
        }
        if txns == 2 {
            let mut txn = crate::store::etcd::gateway::Txn::default();
            txn.delete(&etcd.cluster.keys.leader());
            etcd.cluster.gateway.transact(txn).unwrap();
        }
        Step::Pass
    });
    assert!(matches!(behind.commit(), Err(CommitError::Failed(_))));
    assert!(behind.term.is_over());
    behind.advance();
    behind.end();
}

#[test]
fn another_cluster_and_one_that_was_put_back_are_fatal() {
    for (name, number, why) in
        [("revision", "1", "restored from a backup"), ("cluster_id", "1", "another cluster")]
    {
        let Some(behind) = Behind::start() else { return };
        behind.gate.steps([Step::Header(name, number)]);
        match behind.commit() {
            Err(CommitError::Failed(e)) => {
                assert!(e.to_string().contains(why), "{e}");
                assert!(Etcd::is_fatal(&e) && e.kind() == ErrorKind::InvalidData);
            }
            other => panic!("{other:?}"),
        }
        assert!(behind.term.is_over());
        behind.term.resign();
    }
}

#[test]
fn a_head_that_another_program_has_put_is_fatal() {
    let Some(behind) = Behind::start() else { return };
    let etcd = table_at(&behind.url, &behind.prefix);
    let mut txn = crate::store::etcd::gateway::Txn::default();
    txn.delete(&etcd.cluster.keys.head());
    etcd.cluster.gateway.transact(txn).unwrap();
    match behind.commit() {
        Err(CommitError::Failed(e)) => assert!(Etcd::is_fatal(&e), "{e}"),
        other => panic!("{other:?}"),
    }
    behind.term.resign();
}
