//! Lists and transactions as QEMU has them: an allocation for each element.

use std::iter;

/// A singly linked list, each of whose elements is allocated by itself.
///
/// Source: `GSList` of GLib; `QSLIST` in QEMU's transactions.
#[derive(Debug)]
pub(super) struct List<T>(Option<Box<Link<T>>>);

#[derive(Debug)]
struct Link<T> {
    value: T,
    next: Option<Box<Link<T>>>,
}

impl<T> List<T> {
    /// A list of nothing.
    pub(super) const EMPTY: List<T> = List(None);

    /// Puts the value first.
    pub(super) fn prepend(&mut self, value: T) {
        let next = self.0.take();
        self.0 = Some(Box::new(Link { value, next }));
    }

    /// Takes the first value out.
    pub(super) fn pop(&mut self) -> Option<T> {
        let Link { value, next } = *self.0.take()?;
        self.0 = next;
        Some(value)
    }

    /// The values, the first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let first = self.0.as_deref();
        iter::successors(first, |link| link.next.as_deref()).map(|link| &link.value)
    }
}

/// Element by element.
impl<T: Copy> Clone for List<T> {
    fn clone(&self) -> List<T> {
        let mut copy = List::EMPTY;
        let mut end = &mut copy.0;
        for &value in self.iter() {
            end = &mut end.insert(Box::new(Link { value, next: None })).next;
        }
        copy
    }
}

/// One by one: a long list has no room on the stack for a call each.
impl<T> Drop for List<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// What a change did, newest first: each action is allocated, and so is what it needs to be undone.
///
/// Source: `tran_add` in `util/transactions.c`, QEMU 10.0.
#[derive(Debug)]
pub(super) struct Transaction<T>(List<Action<T>>);

#[derive(Debug)]
enum Action<T> {
    Undo(Box<T>),
    /// Once the change is final, a node's driver is to be told what is demanded of it. No driver here
    /// wants to know.
    Tell,
}

impl<T> Transaction<T> {
    /// A transaction that has done nothing.
    pub(super) const EMPTY: Transaction<T> = Transaction(List::EMPTY);

    /// Notes what undoes a step.
    pub(super) fn add(&mut self, undo: T) {
        self.0.prepend(Action::Undo(Box::new(undo)));
    }

    /// Notes that a node's driver is to be told.
    ///
    /// Source: `bdrv_drv_set_perm` in `block.c`.
    pub(super) fn tell_driver(&mut self) {
        self.0.prepend(Action::Tell);
    }

    /// What undoes the last step that is still done.
    pub(super) fn pop(&mut self) -> Option<T> {
        iter::from_fn(|| self.0.pop()).find_map(|action| match action {
            Action::Undo(undo) => Some(*undo),
            Action::Tell => None,
        })
    }
}
