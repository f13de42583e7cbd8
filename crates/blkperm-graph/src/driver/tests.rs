//! Every row against the specification, written down as operations on QEMU's two masks.

use super::*;

/// The default rules written down from the specification as operations on QEMU's two masks.
fn specified(role: Role, state: State, input: Demand) -> Demand {
    use Permissions as P;
    let (take, shared) = (input.take(), input.shared());
    let mut perm = take;
    let mut share = shared;
    if role.contains(Role::COW) {
        perm = take & P::CONSISTENT_READ;
        share = P::CONSISTENT_READ | P::WRITE_UNCHANGED;
        if shared.contains(P::WRITE) {
            share |= P::WRITE | P::RESIZE;
        }
    } else if !role.contains(Role::FILTERED) {
        if role.contains(Role::METADATA) {
            if state.is_writable() {
                perm |= P::WRITE | P::RESIZE;
            }
            perm |= P::CONSISTENT_READ;
            share &= !(P::WRITE | P::RESIZE);
        }
        if role.contains(Role::DATA) {
            share &= !P::RESIZE;
            if perm.contains(P::WRITE_UNCHANGED) {
                perm |= P::WRITE;
            }
            if perm.contains(P::WRITE) {
                perm |= P::RESIZE;
            }
        }
    }
    if state.contains(State::INACTIVE) && !role.contains(Role::FILTERED) {
        share |= P::WRITE | P::RESIZE;
    }
    Demand::from_masks(perm, share)
}

#[test]
fn default_rows_equal_the_specified_operations_on_masks_for_all_inputs() {
    let roles = [
        Role::FILTERED,
        Role::COW,
        Role::DATA,
        Role::METADATA,
        Role::IMAGE,
        Role::METADATA | Role::PRIMARY,
    ];
    let mut cases = 0;
    for role in roles {
        for bits in 0..4 {
            let state = State::from_bits_truncate(bits);
            let row = default_row(role, Condition { state, options: Demand::NONE });
            for input in (0..Demand::COUNT).map(Demand::from_index) {
                let expected = specified(role, state, input);
                assert_eq!(row.evaluate(input, true), expected, "{role:?} {state:?} {input}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 6 * 4 * 256);
}

/// What a driver makes of `perm` and `shared` for one child, by the specification.
type Specified = fn(State, Permissions, Permissions) -> (Permissions, Permissions);

/// A row of the specification: driver, role, options, and what it says.
type Specification = (&'static Driver, Role, Demand, Specified);

fn is_inactive(state: State) -> bool {
    state.contains(State::INACTIVE)
}

const SPECIFICATIONS: [Specification; 10] = {
    use Permissions as P;
    const C: P = P::CONSISTENT_READ;
    const W: P = P::WRITE;
    const U: P = P::WRITE_UNCHANGED;
    const R: P = P::RESIZE;
    const NONE: P = P::empty();
    const OPTIONS: Demand = Demand::new(C.union(U), W);
    [
        (&THROTTLE, Role::FILTERED, Demand::NONE, |_, p, s| (p, s)),
        (&BLKDEBUG, Role::FILTERED, OPTIONS, |_, p, s| (p | C | U, s & !W)),
        (&RAW_OFFSET, Role::DATA, Demand::NONE, |state, p, s| {
            (p, (s & !R) | if is_inactive(state) { W | R } else { NONE })
        }),
        (&LUKS, Role::IMAGE, Demand::NONE, |state, p, s| {
            (p | C, s | if is_inactive(state) { W | R } else { NONE })
        }),
        (&COPY_ON_READ, Role::FILTERED, Demand::NONE, |state, p, s| {
            let own = if is_inactive(state) { NONE } else { U };
            ((p & (C | W | R)) | own, (s & (C | W | R)) | U)
        }),
        (&PREALLOCATE, Role::FILTERED, Demand::NONE, |_, p, s| {
            if p.contains(W | R) { (p | W | R, s & !(W | R)) } else { (p, s) }
        }),
        (&QUORUM, Role::DATA, Demand::taking(W), |_, p, s| (p | W, s & (C | U))),
        (&COPY_BEFORE_WRITE, Role::FILTERED, Demand::NONE, |_, p, s| (p | C, s & !(W | R))),
        (&COPY_BEFORE_WRITE, Role::DATA, Demand::NONE, |_, _, _| (W, C | W | U)),
        (&REPLICATION, Role::FILTERED, Demand::NONE, |state, _, _| {
            (if state.is_writable() { C | W } else { C }, C | W | U)
        }),
    ]
};

#[test]
fn rows_of_drivers_equal_the_specified_operations_on_masks_for_all_inputs() {
    for (driver, role, options, specified) in SPECIFICATIONS {
        for bits in 0..4 {
            let state = State::from_bits_truncate(bits);
            let row = (driver.row)(role | Role::PRIMARY, Condition { state, options });
            for input in (0..Demand::COUNT).map(Demand::from_index) {
                let (perm, shared) = specified(state, input.take(), input.shared());
                let expected = Demand::from_masks(perm, shared);
                let name = driver.name;
                assert_eq!(
                    row.evaluate(input, true),
                    expected,
                    "{name} {role:?} {state:?} {input}"
                );
            }
        }
    }
}

#[test]
fn copy_before_write_asks_nothing_of_its_source_until_it_has_a_parent() {
    let condition = Condition { state: State::default(), options: Demand::NONE };
    let row = (COPY_BEFORE_WRITE.row)(Role::FILTERED, condition);
    assert_eq!(row.evaluate(Demand::NONE, false), Demand::NONE);
    assert_ne!(row.evaluate(Demand::NONE, true), Demand::NONE);
}
