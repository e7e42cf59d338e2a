//! A table in a real etcd, from one term to the next.

use super::*;
use crate::store::tests::Random;

#[test]
fn what_is_committed_is_there_in_the_next_term() {
    let Some(url) = real::etcd() else { return };
    let etcd = table(&url);
    let mut random = Random(7);
    let first = term(&etcd);
    let mut model = loaded(&*first.store()).unwrap();
    assert_eq!((model.head.version, model.files.len()), (0, 0));
    first.resign();
    for _ in 0..20 {
        let term = term(&etcd);
        let store = term.store();
        assert_eq!(loaded(&*store).unwrap(), model);
        for _ in 0..5 {
            let (batch, head) = model.draw(&mut random);
            store.commit(&batch, &head).unwrap();
            model.apply(&batch, head);
        }
        term.resign();
    }
    let last = term(&etcd);
    assert_eq!(loaded(&*last.store()).unwrap(), model);
    last.resign();
}
