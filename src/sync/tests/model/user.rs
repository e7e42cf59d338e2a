//! What the users do.

use super::super::planted::Fault;
use super::schedule::{NAMES, Schedule};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Files are in folders of others' names, so that kinds change.
const PATHS: [&str; 6] = ["x", "y", "d", "d/x", "d/y", "x/y"];

const MODES: [u32; 3] = [0o644, 0o600, 0o755];

impl Schedule {
    /// A user does something in a folder.
    pub(super) fn user(&mut self, client: usize) {
        self.unflushed[client] = None;
        let written = self.act(client);
        let disk = self.disks[client].clone();
        disk.lock().unwrap().flush();
        if let Some((whole, content)) = written.filter(|_| self.below(2) == 0) {
            disk.lock().unwrap().leave_unflushed(&whole);
            self.unflushed[client] = Some(content);
        }
    }

    /// Returns the file that was written, if any, and its content.
    fn act(&mut self, client: usize) -> Option<(PathBuf, String)> {
        let name = NAMES[client];
        let tree = self.world.tree(name);
        let here: Vec<_> = tree.keys().cloned().collect();
        // Versions that begin anew have to meet their equals.
        let count = if self.fault == Some(Fault::VersionsRestart) { 1 } else { PATHS.len() };
        let at = self.below(count + here.len());
        let path = match PATHS[..count].get(at) {
            Some(path) => path.to_string(),
            None => here[at - count].clone(),
        };
        let whole = self.world.path(&format!("{name}/{path}"));
        let to = PATHS[self.below(count)];
        let whole_to = self.world.path(&format!("{name}/{to}"));
        let old = tree.get(&path).map(|(text, _)| text.as_str());
        match (self.below(16), old) {
            (0, Some("/")) => {
                self.log.push(format!("{name} deletes the folder {path}"));
                self.take_away(&whole);
            }
            (0..4, Some(old)) if old != "/" => {
                self.log.push(format!("{name} deletes {path} {old}"));
                self.take_away(&whole);
            }
            (4 | 5, Some(old)) => {
                let is_inside = whole_to.starts_with(&whole) || whole.starts_with(&whole_to);
                if !is_inside && self.make_way(client, &whole_to) {
                    self.log.push(format!("{name} renames {path} to {to}: {old}"));
                    fs::rename(&whole, &whole_to).unwrap();
                }
            }
            (6, Some(old)) if old != "/" => {
                let is_inside = whole_to.starts_with(&whole) || whole.starts_with(&whole_to);
                if !is_inside && self.make_way(client, &whole_to) {
                    self.log.push(format!("{name} copies {path} to {to}: {old}"));
                    fs::copy(&whole, &whole_to).unwrap();
                }
            }
            (7, Some(_)) => {
                let mode = MODES[self.below(MODES.len())];
                self.log.push(format!("{name} sets the mode of {path} to {mode:o}"));
                fs::set_permissions(&whole, fs::Permissions::from_mode(mode)).unwrap();
            }
            (how @ 8.., _) => {
                // In place, if there is a file.
                if (old.is_none() || old == Some("/") || how >= 12)
                    && !self.make_way(client, &whole)
                {
                    return None;
                }
                self.contents += 1;
                // Of different lengths, so that each shows in a file's size; every third is chunks.
                let long = if self.contents.is_multiple_of(3) { 40 } else { 0 };
                let length = long + self.contents as usize % 7;
                let content = format!("content {} {}", self.contents, "x".repeat(length));
                let how = if how < 12 { "in place" } else { "anew" };
                self.log.push(format!("{name} writes {path} {how}: {content}, over {old:?}"));
                if how == "in place" {
                    self.retired.extend(fs::read_to_string(&whole).ok());
                    fs::write(&whole, &content).unwrap();
                } else {
                    // As most editors do.
                    let new = self.world.path(&format!("{name}.new"));
                    fs::write(&new, &content).unwrap();
                    fs::rename(&new, &whole).unwrap();
                }
                self.live.insert(content.clone());
                return Some((whole, content));
            }
            _ => {}
        }
        None
    }

    /// Deletes what is at a path, if anything is.
    fn take_away(&mut self, whole: &Path) {
        if whole.is_dir() {
            for found in fs::read_dir(whole).unwrap() {
                self.take_away(&found.unwrap().path());
            }
            fs::remove_dir(whole).unwrap();
        } else if let Ok(content) = fs::read_to_string(whole) {
            self.retired.insert(content);
            fs::remove_file(whole).unwrap();
        }
    }

    /// Makes the folders in which a path is, and removes what is in the way, if the user likes. False
    /// if not.
    fn make_way(&mut self, client: usize, whole: &Path) -> bool {
        let folder = self.world.path(NAMES[client]);
        for above in whole.ancestors().skip(1).take_while(|above| **above != folder) {
            if above.is_file() {
                if self.below(3) > 0 {
                    return false;
                }
                self.log.push(format!("{} deletes the file {}", NAMES[client], above.display()));
                self.take_away(above);
            }
        }
        if whole.is_dir() && self.below(3) > 0 {
            return false;
        }
        self.take_away(whole);
        fs::create_dir_all(whole.parent().unwrap()).unwrap();
        true
    }
}
