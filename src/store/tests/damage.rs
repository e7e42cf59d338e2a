//! A disk that has other bytes than those that were written.

use super::model::Model;
use super::sim::Sim;
use super::{EPOCH, Random, fresh, open};
use crate::files::store::Store;
use std::io;

fn written(random: &mut Random) -> (Sim, Model) {
    let (sim, store) = fresh();
    let mut model = Model::empty(EPOCH);
    for _ in 0..10 {
        let (batch, head) = model.draw(random);
        store.commit(&batch, &head).unwrap();
        model.apply(&batch, head);
    }
    drop(store);
    (sim, model)
}

fn read(sim: &Sim) -> io::Result<Model> {
    let store = open(sim)?;
    let found = Model::of(&store)?;
    let mut backup = Vec::new();
    store.backup(&mut backup, "backup")?;
    Ok(found)
}

#[test]
fn damaged_bytes_are_an_error_or_outside_the_table() {
    let random = &mut Random(7);
    let (sim, model) = written(random);
    let image = sim.image();
    let used: Vec<_> = (0..image.len()).filter(|at| image[*at] != 0).collect();
    let mut errors = 0;
    for round in 0..200 {
        let mut image = image.clone();
        let at = used[random.below(used.len() as u64) as usize];
        let length = [1, 8, 512, 4096][random.below(4) as usize].min(image.len() - at);
        let damaged = &mut image[at..at + length];
        match random.below(3) {
            0 => damaged[0] ^= 1 << random.below(8),
            1 => damaged.fill(0),
            _ => damaged.iter_mut().for_each(|byte| *byte = random.next() as u8),
        }
        match read(&Sim::with(image)) {
            Ok(found) => assert_eq!(found, model, "round {round}, {length} bytes at {at}"),
            Err(e) => {
                assert!(e.to_string().starts_with("sim: "), "{e}");
                errors += 1;
            }
        }
    }
    assert!(errors > 15, "{errors} errors");
}

#[test]
fn a_truncated_file_is_an_error() {
    let random = &mut Random(8);
    let (sim, _) = written(random);
    let image = sim.image();
    for _ in 0..30 {
        let length = random.below(image.len() as u64) as usize;
        let error = read(&Sim::with(image[..length].to_vec())).unwrap_err();
        assert!(error.to_string().starts_with("sim: "), "{error}");
    }
}

/// Some disks lose a write: a page is as it was before, whole, with its checksums.
#[test]
fn a_lost_write_neither_repeats_nor_hides_a_file() {
    const PAGE: usize = 4096;
    let (sim, store) = fresh();
    let mut model = Model::empty(EPOCH);
    let mut images = Vec::new();
    for batch in 0..12 {
        for i in 0..16 {
            let (put, head) = (model.put(&format!("name/{batch}/{i}"), vec![1; 50]), model.next());
            store.commit(std::slice::from_ref(&put), &head).unwrap();
            store.core().checkpoint_all().unwrap();
            model.apply(&[put], head);
        }
        images.push(sim.image());
    }
    drop(store);
    let now = sim.image();
    let mut doubled = 0;
    for before in images {
        let has_names = |at: &usize| now[*at..*at + PAGE].windows(5).any(|bytes| bytes == b"name/");
        let pages = (PAGE..now.len().min(before.len())).step_by(PAGE);
        for at in pages.filter(has_names) {
            let mut image = now.clone();
            image[at..at + PAGE].copy_from_slice(&before[at..at + PAGE]);
            match read(&Sim::with(image)) {
                Ok(found) => assert_eq!(found.files.len(), model.files.len()),
                Err(e) => doubled += usize::from(e.to_string().contains("out of order")),
            }
        }
    }
    assert!(doubled > 0);
}
