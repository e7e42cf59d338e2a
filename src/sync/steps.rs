//! The moments at which a crash could matter. In the program these do nothing; tests stop a round at
//! any of them, as a crash would, and break single rules to see that something is lost then.

#[cfg(test)]
pub(super) use planted::{Fault, has, plan, step};

/// Marks a moment between two effects.
#[cfg(not(test))]
#[inline]
pub(super) fn step(_moment: &'static str) -> Result<(), super::error::Error> {
    Ok(())
}

#[cfg(test)]
mod planted {
    use crate::sync::error::Error;
    use std::cell::{Cell, RefCell};

    /// A rule that a test breaks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in crate::sync) enum Fault {
        /// What an exchange gave back is not looked at.
        NoLook,
        /// A row is written before what it says is true.
        RowFirst,
        /// A refused cas is repeated with the version that the server has.
        LastWriter,
        /// Rows of another table are believed.
        NoEpoch,
        /// The collector does not care about uploads.
        CollectAnyway,
    }

    /// Returns whether the round goes on after this moment.
    pub(in crate::sync) type Plan = Box<dyn FnMut(&'static str) -> bool>;

    thread_local! {
        static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
        static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Sets what happens at each moment in this thread, and the rule that is broken.
    pub(in crate::sync) fn plan(fault: Option<Fault>, plan: Option<Plan>) {
        FAULT.set(fault);
        PLAN.set(plan);
    }

    pub(in crate::sync) fn has(fault: Fault) -> bool {
        FAULT.get() == Some(fault)
    }

    pub(in crate::sync) fn step(moment: &'static str) -> Result<(), Error> {
        let goes_on = PLAN.with_borrow_mut(|plan| plan.as_mut().is_none_or(|plan| plan(moment)));
        if goes_on { Ok(()) } else { Err(Error::Stopped) }
    }
}
